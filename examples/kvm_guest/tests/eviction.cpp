// SPDX-License-Identifier: MIT
//
//   eviction {move|protect|shared|unprotected}
//
// Whether a page leaves the guest's sight before it is read for the store. The guest counts on a few pages without a pause;
// each is evicted, as the pager does it, some hundred times meanwhile, with a wait in the middle that a count falls into
// where the guest can still write. In the end the guest misses none. `unprotected` leaves the protection out: that must be
// found.
#include "failure.hpp"
#include "virtual_machine.hpp"

#include <pagefold/hosted/uffd_memory.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

namespace kvm_guest {
namespace {

using page_type = std::array<std::byte, page_size>;

class evictor {
public:
    explicit evictor(const std::string& how) : is_unprotected_{how == "unprotected"} {
        pagefold::uffd_memory_options options;
        options.pages = pages;
        options.frames = 1;
        options.backing = how == "shared" ? pagefold::uffd_backing::shared : pagefold::uffd_backing::anonymous;
        options.eviction = how == "move" ? pagefold::eviction_method::move : pagefold::eviction_method::protect;
        options.tracking = pagefold::clean_tracking::none;
        if (memory_.open(options) != pagefold::status::ok) {
            throw unavailable(memory_.reason());
        }
        if (memory_.descriptor().is_user_only()) {
            throw unavailable("this process may only serve faults of user code");
        }
    }
    [[nodiscard]] std::byte* memory() noexcept { return memory_.page(0); }

    void serve() {
        pollfd wanted{memory_.descriptor().descriptor(), POLLIN, 0};
        while (!ends_) {
            uffd_msg message;
            if (poll(&wanted, 1, 10) == 1 && memory_.descriptor().read(&message, 1).done == 1 &&
                message.event == UFFD_EVENT_PAGEFAULT) {
                const std::lock_guard guard{lock_};
                // One that ran into the protection is woken by the eviction, and comes again for a page that is missing.
                if ((message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) == 0) {
                    bring((message.arg.pagefault.address - memory_.address(0)) / page_size);
                }
            }
        }
    }
    void end() noexcept { ends_ = true; }

    /// False where the page was not there, or can't go now.
    bool evict(std::size_t page) {
        const std::lock_guard guard{lock_};
        if (!is_mapped_[page]) {
            return false;
        }
        if (memory_.eviction() == pagefold::eviction_method::move) {
            if (memory_.move_out(page, 1, 0).done != 1) {
                return false;
            }
            kept_[page] = read_twice(memory_.frame(0));
            memory_.drop_frames(0, 1);
        } else {
            if (!is_unprotected_ && !memory_.protect(page, 1)) {
                return false;
            }
            kept_[page] = read_twice(memory_.page(page));
            if (!memory_.drop(page, 1)) {
                throw failure("a page can't be dropped");
            }
        }
        is_mapped_[page] = false;
        memory_.wake(page, 1);
        return true;
    }
    [[nodiscard]] std::size_t changes() const noexcept { return changes_; }

    static constexpr std::size_t pages = 1024;

private:
    void bring(std::size_t page) {
        static constexpr page_type zeros{};
        if (!is_mapped_[page]) {
            is_mapped_[page] = memory_.bring(page, kept_[page] ? kept_[page]->data() : zeros.data(), 1, false).ok();
        }
        memory_.wake(page, 1);
    }
    page_type read_twice(const std::byte* bytes) {
        page_type first, second;
        std::memcpy(first.data(), bytes, page_size);
        std::this_thread::sleep_for(std::chrono::microseconds{200});
        std::memcpy(second.data(), bytes, page_size);
        changes_ += first != second ? 1 : 0;
        return first;
    }

    bool is_unprotected_;
    pagefold::uffd_memory memory_;
    std::mutex lock_;
    std::atomic<bool> ends_{false};
    std::vector<bool> is_mapped_ = std::vector<bool>(pages);
    std::vector<std::optional<page_type>> kept_{pages};
    std::size_t changes_ = 0;
};

int run(const std::string& how) {
    evictor one{how};
    virtual_machine machine{one.memory(), evictor::pages * page_size};
    std::thread server{[&] { one.serve(); }};
    mailbox box{};
    box.hammers = 400'000'000; // so that some hundred evictions fall into it on a busy machine, too
    machine.load(box);
    std::atomic<bool> has_ended{false};
    exit_report report{exit_kind::failed, 0};
    std::thread processor{[&] {
        report = machine.run();
        has_ended = true;
    }};
    std::size_t evictions = 0;
    for (std::size_t i = 0; !has_ended && evictions < 400; ++i) {
        evictions += one.evict(first_page / page_size + i % hammered_pages) ? 1 : 0;
        std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
    processor.join();
    one.end();
    server.join();
    std::printf("%zu evictions, %zu pages written while they left, the guest %s\n", evictions, one.changes(),
                report.kind == exit_kind::done          ? "missed nothing"
                : report.kind == exit_kind::lost_counts ? "LOST COUNTS"
                                                        : "FAILED");
    return report.kind == exit_kind::done && one.changes() == 0 && evictions > 50 ? 0 : 1;
}

} // namespace
} // namespace kvm_guest

int main(int count, char** values) {
    try {
        return kvm_guest::run(count > 1 ? values[1] : "protect");
    } catch (const kvm_guest::unavailable& why) {
        std::printf("kvm_guest is skipped: %s\n", why.what());
        return 77;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "eviction: %s\n", why.what());
        return 2;
    }
}
