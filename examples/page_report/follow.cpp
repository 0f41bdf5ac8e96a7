// SPDX-License-Identifier: MIT
#include "follow.hpp"

#include "failure.hpp"
#include "follow_frame.hpp"
#include "interrupt.hpp"
#include "measure.hpp"
#include "output.hpp"
#include "page_set.hpp"
#include "watched_process.hpp"

#include <pagefold/control/budget.hpp>
#include <pagefold/control/promotion_rate.hpp>
#include <pagefold/hosted/psi_monitor.hpp>
#include <pagefold/hosted/steady_clock.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace page_report {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t pages_a_step = 4096; // 10 ms or so; then a signal is looked for
constexpr unsigned sweeps_a_period = 8;    // of promotion_rate, whose bound is some pages then and not less than one

/// Some pages of a process, to be copied.
class chosen_pages : public page_input {
public:
    chosen_pages(const watched_process& process, std::vector<std::uint64_t> addresses)
        : name_{process.name()}, memory_{process.directory() + "mem"}, addresses_{std::move(addresses)} {}

    [[nodiscard]] std::string name() const override { return name_; }
    [[nodiscard]] bool is_process() const override { return true; }
    [[nodiscard]] std::uint64_t pages() const override { return addresses_.size(); }
    [[nodiscard]] outcome copy(std::uint64_t which, std::byte* to) override {
        const bool is_whole = pread(memory_.id(), to, page_bytes, static_cast<off_t>(addresses_[which])) ==
                              static_cast<ssize_t>(page_bytes);
        return is_whole ? outcome::copied : outcome::page_gone;
    }
    [[nodiscard]] std::string describe(std::uint64_t which) const override {
        char buffer[40];
        std::snprintf(buffer, sizeof buffer, "the page at 0x%lx", static_cast<unsigned long>(addresses_[which]));
        return buffer;
    }
    [[nodiscard]] std::string why_gone() const override { return "process " + name_ + ": it ended"; }

private:
    std::string name_;
    unique_file memory_;
    std::vector<std::uint64_t> addresses_;
};

/// What pagefold's controllers make of the ages, a sweep after the other.
class advisor {
public:
    explicit advisor(const arguments& given) : given_{given}, rate_{rate_options()} {
        if (pressure_.open_system() != pagefold::status::ok) {
            shown_.no_pressure = pressure_.reason();
        }
        shown_.sweep_ms = given.sweep_ms;
        shown_.codec = given.codec;
    }

    /// After a sweep. Afterwards fault() says whether a page came back wrong.
    const follow_frame& note(watched_process& process) {
        pagefold::page_ages& ages = process.ages();
        describe(process);
        ++shown_.sweep;
        const std::uint64_t promoted = ages.accesses().at_least(shown_.threshold); // of this period
        shown_.promoted_pages = promoted - promoted_;
        all_promoted_ += shown_.promoted_pages;
        promoted_ = promoted;
        if (shown_.sweep % sweeps_a_period == 0) {
            end_period(ages);
        }
        shown_.pages = ages.now().total();
        shown_.hot_pages = ages.working_set();
        shown_.ages = ages.now();
        shown_.cold_pages = ages.now().at_least(shown_.threshold);
        compress_cold(process);
        choose_budget();
        return shown_;
    }
    const follow_frame& describe(const watched_process& process) {
        shown_.process = process.name();
        shown_.seen_by = process.sights().name();
        shown_.blind_to = process.sights().blind_to();
        return shown_;
    }
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }

private:
    [[nodiscard]] static pagefold::promotion_rate_options rate_options() {
        pagefold::promotion_rate_options options;
        options.start_us = 0; // the first period is the start
        return options;
    }

    void end_period(pagefold::page_ages& ages) {
        rate_.end_period(ages.accesses(), ages.working_set(), sweeps_a_period * given_.sweep_ms * 1000);
        shown_.threshold = rate_.threshold();
        ages.forget_accesses();
        promoted_ = 0;
    }

    /// Puts some of the cold pages into a store and takes them back.
    void compress_cold(const watched_process& process) {
        const std::uint64_t most = given_.sample_bytes / page_bytes;
        if (shown_.cold_pages == 0 || most == 0) {
            return;
        }
        const std::uint64_t every = (shown_.cold_pages + most - 1) / most;
        std::vector<std::uint64_t> chosen;
        std::uint64_t cold = shown_.sweep; // others in each sweep
        for (std::size_t slot = 0; slot < process.ages().pages(); ++slot) {
            const std::uint8_t age = process.ages().age(slot);
            if (age != pagefold::no_age && age >= shown_.threshold && cold++ % every == 0) {
                chosen.push_back(process.address(slot));
            }
        }
        page_set pages(chosen.size() + 1);
        auto input = std::make_unique<chosen_pages>(process, chosen);
        for (std::uint64_t which = 0; which < chosen.size() && pages.has_room(); ++which) {
            if (input->copy(which, pages.next()) == page_input::outcome::copied) {
                pages.add(which);
            }
        }
        if (pages.size() == 0) {
            return;
        }
        pages.end_source(std::move(input), 0);
        progress silent;
        const measurement made = measure(pages, given_, silent);
        fault_ = made.fault;
        if (shown_.sampled_pages >= 4 * most) { // what was long ago counts for less
            shown_.sampled_pages /= 2;
            shown_.sampled_bytes /= 2;
        }
        shown_.sampled_pages += made.total.data_bytes / page_bytes;
        shown_.sampled_bytes += made.total.used_bytes;
    }

    void choose_budget() {
        const std::uint64_t used = shown_.pages * page_bytes;
        if (!budget_) {
            pagefold::budget_options options;
            options.least_bytes = 64 * page_bytes;
            options.most_bytes = std::max(used, static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * page_bytes);
            options.start_bytes = used;
            options.time.least_us = 1000;
            options.time.most_us = std::max(options.time.most_us, 4 * given_.sweep_ms * 1000);
            budget_.emplace(options, clock_);
        }
        pagefold::budget_sample sample;
        sample.used_bytes = used;
        sample.promoted_pages = all_promoted_;
        sample.cold_bytes = shown_.cold_pages * page_bytes; // while it is too early to tell: none
        if (pressure_.is_open()) {
            static_cast<void>(pressure_.tell(sample));
            shown_.no_pressure = sample.stalled_us == pagefold::no_sample ? pressure_.reason() : "";
        }
        shown_.budget_bytes = budget_->step(sample);
        shown_.stalled_ppm = budget_->stalled_ppm();
    }

    const arguments& given_;
    follow_frame shown_;
    pagefold::promotion_rate rate_;
    pagefold::psi_monitor pressure_;
    pagefold::steady_clock clock_;
    std::optional<pagefold::budget<pagefold::steady_clock>> budget_;
    std::uint64_t promoted_ = 0;     ///< in this period
    std::uint64_t all_promoted_ = 0; ///< in all of them
    std::string fault_;
};

/// On a terminal each frame where the one before was, with the notes below; else one after the other.
class frame_printer {
public:
    explicit frame_printer(bool wants_json) : wants_json_{wants_json}, is_screen_{isatty(STDOUT_FILENO) == 1} {}

    void begin(const follow_frame& frame) const {
        if (!wants_json_) {
            write_stdout(is_screen_ ? "\x1b[2J\x1b[H" + frame_notes(frame) : frame_notes(frame));
        }
    }
    void show(const follow_frame& frame) const {
        if (wants_json_) {
            write_stdout(frame_json(frame));
        } else if (!is_screen_) {
            write_stdout("\n" + frame_text(frame, find_display()));
        } else {
            std::string text = "\x1b[H";
            for (const char c : frame_text(frame, find_display()) + "\n" + frame_notes(frame)) {
                text += c == '\n' ? "\x1b[K\n" : std::string(1, c);
            }
            write_stdout(text + "\x1b[J");
        }
    }

private:
    bool wants_json_;
    bool is_screen_;
};

/// Until then, or a signal.
void wait_until(clock::time_point then) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - clock::now()).count();
        if (left <= 0 || delayed_interrupt::is_pending()) {
            return;
        }
        poll(nullptr, 0, static_cast<int>(std::min<std::int64_t>(left, 100)));
    }
}

} // namespace

std::string follow(const arguments& given) {
    watched_process process(given.processes.empty() ? getpid() : given.processes.front());
    advisor controllers(given);
    const frame_printer printer(given.wants_json);
    const delayed_interrupt signals;
    printer.begin(controllers.describe(process));
    for (std::uint64_t sweep = 0; given.sweeps == 0 || sweep < given.sweeps; ++sweep) {
        const clock::time_point next = clock::now() + std::chrono::milliseconds(given.sweep_ms);
        watched_process::outcome what = watched_process::outcome::more;
        while (what == watched_process::outcome::more && !delayed_interrupt::is_pending()) {
            what = process.step(pages_a_step);
        }
        if (what == watched_process::outcome::ended && sweep == 0) {
            throw failure("process " + process.name() + ": no private anonymous page of it is in memory");
        }
        if (what != watched_process::outcome::swept) {
            if (what == watched_process::outcome::ended) {
                std::fprintf(stderr, "page_report: process %s ended\n", printable(process.name(), true).c_str());
            }
            break;
        }
        printer.show(controllers.note(process));
        if (!controllers.fault().empty()) {
            return controllers.fault();
        }
        if (sweep + 1 != given.sweeps) {
            wait_until(next);
        }
    }
    return {};
}

} // namespace page_report
