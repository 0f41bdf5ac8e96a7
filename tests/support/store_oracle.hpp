// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// What a store may answer when many threads use the same keys.
//
// Every operation on a key is noted with two stamps of one clock, taken before and after it, and judged when the threads
// have stopped. To a reader each key is a register: at every moment it holds one version or none, and an operation that
// began at b and ended at e acted on it at some moment between. Every put writes a version of its own. So:
//
//   - A version whose operations have an end f before another's begin s was held all the time from f to s (its zone). Zones
//     of two versions don't meet, and no operation lies wholly in a zone that found or left the page absent, or with another
//     version (Gibbons, Korach: "Testing shared memories", SIAM Journal on Computing 26, 1997).
//   - A version that was read was put: not later, and with the answer ok.
//   - A version is taken once, and nothing finds it later.
//   - A persistent page is found absent only where something may have removed it last: an erase, a take, a put that was
//     refused, its pool's end. A put that was refused may remove the page at any time until it returns.
//   - An erase that found a page had a page to find, and no more pages go than came.
//   - Only a pool that is being destroyed, or was, answers `invalid`, and what was invalid once stays so.
//
// A page of an ephemeral pool may vanish at any moment; then it must not come back. A page in a tier that can't be read just now
// is there, or not.

namespace pagefold::testing {

enum class oracle_operation : std::uint8_t { put, get, take, erase, erase_many };

/// Those below stand for what came before.
inline constexpr std::uint64_t first_stamp = 2;

/// What one operation did to one key.
struct oracle_event {
    std::uint64_t begin = 0, end = 0; ///< stamps, at least first_stamp; no two are alike
    std::uint64_t version = 0;        ///< that was put, or read with ok; 0 if that was not a whole page of this key
    std::uint32_t key = 0;
    oracle_operation operation{};
    status answer{};
};

/// What broke the rules.
struct oracle_violation {
    const char* rule;
    oracle_event event; ///< one of those involved; of the others `other` says which version or when
    std::uint64_t other;
};

/// The life of a key from one rest of the store to the next.
class key_history {
public:
    struct frame {
        bool is_persistent = false;
        std::uint64_t initial_version = 0;                ///< what the key held at first; 0 nothing
        std::uint64_t destroyed_from = ~std::uint64_t{0}; ///< when the end of its pool was begun,
        std::uint64_t destroyed_by = ~std::uint64_t{0};   ///< and when it was done
        bool may_lack_scratch = false;                    ///< reads may answer limit and no_memory
        bool may_be_away = false;                         ///< and unavailable, which tells nothing
    };

    /// Judges the events of one key, in any order. Calls report(oracle_violation) for each rule broken.
    template <class Report>
    void judge(const frame& f, std::span<const oracle_event> events, Report report) {
        clear();
        if (f.initial_version != 0) {
            seen_.push_back({1, 1, f.initial_version, oracle_operation::put});
            came_ = 1;
        } else {
            absences_.push_back({{}, removes});
        }
        std::uint64_t invalid_by = ~std::uint64_t{0};
        for (const oracle_event& e : events) {
            sort_in(f, e, report);
            invalid_by = e.answer == status::invalid ? std::min(invalid_by, e.end) : invalid_by;
        }
        for (const oracle_event& e : events) {
            if (e.begin > invalid_by && e.answer != status::invalid && e.answer != status::not_found) {
                report(oracle_violation{"a pool is valid after it was invalid", e, invalid_by});
            }
        }
        if (f.destroyed_from != ~std::uint64_t{0}) {
            oracle_event end{
                f.destroyed_from, f.destroyed_by, 0, events.empty() ? 0 : events[0].key, oracle_operation::erase_many,
                status::ok};
            absences_.push_back({end, removes});
        }
        judge_versions(report);
        judge_absences(report);
        judge_removals(report);
        if (f.is_persistent) {
            judge_misses(report);
        }
    }

private:
    /// A version at some moment between two.
    struct sighting {
        std::uint64_t begin, end, version;
        oracle_operation operation;
    };
    enum absence_kind : std::uint8_t { missed, removes, removes_found };
    /// No version at some moment between two.
    struct absence {
        oracle_event event;
        absence_kind kind;
    };
    struct interval {
        std::uint64_t begin, end, version;
    };

    void clear() {
        seen_.clear();
        absences_.clear();
        zones_.clear();
        points_.clear();
        came_ = went_ = 0;
    }
    static oracle_event event_of(const sighting& s) { return {s.begin, s.end, s.version, 0, s.operation, status::ok}; }

    template <class Report>
    void sort_in(const frame& f, const oracle_event& e, Report& report) {
        if (e.answer == status::invalid) {
            if (e.end < f.destroyed_from) {
                report(oracle_violation{"a live pool is invalid", e, 0});
            }
            return;
        }
        if (e.begin > f.destroyed_by && !(e.answer == status::not_found && e.operation != oracle_operation::put)) {
            report(oracle_violation{"a destroyed pool is valid", e, f.destroyed_by});
        }
        const bool is_read = e.operation == oracle_operation::get || e.operation == oracle_operation::take;
        switch (e.answer) {
        case status::ok: sort_in_ok(e, report); break;
        case status::not_found:
            if (e.operation == oracle_operation::put || e.operation == oracle_operation::erase_many) {
                report(oracle_violation{"no such answer", e, 0});
            } else {
                absences_.push_back({e, missed});
            }
            break;
        case status::limit:
        case status::no_memory:
        case status::incompressible:
            if (e.operation == oracle_operation::put) {
                absences_.push_back({e, removes});
            } else if (!is_read || !f.may_lack_scratch || e.answer == status::incompressible) {
                report(oracle_violation{"no such answer", e, 0});
            }
            break;
        case status::corrupt: report(oracle_violation{"a page is corrupt", e, 0}); break;
        case status::unavailable:
            if (!is_read || !f.may_be_away) {
                report(oracle_violation{"no such answer", e, 0});
            }
            break;
        default: report(oracle_violation{"no such answer", e, 0}); break;
        }
    }
    template <class Report>
    void sort_in_ok(const oracle_event& e, Report& report) {
        switch (e.operation) {
        case oracle_operation::put:
            ++came_;
            seen_.push_back({e.begin, e.end, e.version, e.operation});
            break;
        case oracle_operation::take:
            ++went_;
            absences_.push_back({e, removes});
            [[fallthrough]];
        case oracle_operation::get:
            if (e.version == 0) {
                report(oracle_violation{"a read brought another key's page, or no whole page", e, 0});
            } else {
                seen_.push_back({e.begin, e.end, e.version, e.operation});
            }
            break;
        case oracle_operation::erase:
            ++went_;
            absences_.push_back({e, removes_found});
            break;
        case oracle_operation::erase_many: absences_.push_back({e, removes}); break;
        }
    }

    /// Looks at each version, and collects zones and, of versions without one, where they must have been held.
    template <class Report>
    void judge_versions(Report& report) {
        std::sort(seen_.begin(), seen_.end(), [](const sighting& a, const sighting& b) {
            return a.version != b.version ? a.version < b.version : a.operation < b.operation;
        });
        for (std::size_t i = 0, next = 0; i < seen_.size(); i = next) {
            std::uint64_t first_end = seen_[i].end, last_begin = seen_[i].begin;
            const sighting* taken = nullptr;
            for (next = i; next < seen_.size() && seen_[next].version == seen_[i].version; ++next) {
                const sighting& s = seen_[next];
                first_end = std::min(first_end, s.end);
                last_begin = std::max(last_begin, s.begin);
                if (s.operation == oracle_operation::take) {
                    if (taken != nullptr) {
                        report(oracle_violation{"a version was taken twice", event_of(s), taken->end});
                    }
                    taken = &s;
                }
            }
            if (seen_[i].operation != oracle_operation::put) {
                report(oracle_violation{"a version that was never put", event_of(seen_[i]), 0});
                continue;
            }
            if (seen_[i].begin > first_end) {
                report(oracle_violation{"a version was read before it was put", event_of(seen_[i]), first_end});
            }
            if (taken != nullptr && last_begin > taken->end) {
                report(oracle_violation{"a version was found after it was taken", event_of(*taken), last_begin});
            }
            if (first_end < last_begin) {
                zones_.push_back({first_end, last_begin, seen_[i].version});
            } else {
                points_.push_back({last_begin, first_end, seen_[i].version});
            }
        }
        std::sort(zones_.begin(), zones_.end(), [](const interval& a, const interval& b) { return a.begin < b.begin; });
        for (std::size_t i = 1; i < zones_.size(); ++i) {
            if (zones_[i].begin < zones_[i - 1].end) {
                report(oracle_violation{"an older version was found after a newer one",
                                        {zones_[i].begin, zones_[i].end, zones_[i].version},
                                        zones_[i - 1].version});
                zones_[i].end = std::max(zones_[i].end, zones_[i - 1].end); // what follows is judged by the later end
            }
        }
        for (const interval& p : points_) {
            if (const interval* const z = zone_around(p.begin, p.end); z != nullptr) {
                report(oracle_violation{
                    "an older version was found after a newer one", {p.begin, p.end, p.version}, z->version});
            }
        }
    }
    /// The zone that [begin, end] lies in, or null.
    [[nodiscard]] const interval* zone_around(std::uint64_t begin, std::uint64_t end) const {
        auto z = std::lower_bound(zones_.begin(), zones_.end(), begin,
                                  [](const interval& zone, std::uint64_t b) { return zone.begin < b; });
        return z != zones_.begin() && end < (z - 1)->end ? &*(z - 1) : nullptr;
    }

    template <class Report>
    void judge_absences(Report& report) {
        for (const absence& a : absences_) {
            if (const interval* const z = zone_around(a.event.begin, a.event.end); z != nullptr) {
                report(oracle_violation{a.kind == missed ? "a version was found again after a miss"
                                                         : "a version outlived its removal",
                                        a.event, z->version});
            }
        }
    }

    /// Persistent pages: of each miss, whether something may have removed the page and nothing brought it back.
    template <class Report>
    void judge_misses(Report& report) {
        order_by_begin();
        by_end_.clear();
        for (const sighting& s : seen_) {
            if (s.operation != oracle_operation::take) {
                by_end_.push_back({s.begin, s.end, s.version});
            }
        }
        std::sort(by_end_.begin(), by_end_.end(), [](const interval& a, const interval& b) { return a.end < b.end; });
        std::size_t present = 0, removal = 0;
        std::uint64_t last_present = 0, present_version = 0, last_removed = 0;
        // In order of their begins: what was seen wholly before a miss only grows.
        for (const absence& miss : absences_) {
            for (; present < by_end_.size() && by_end_[present].end < miss.event.begin; ++present) {
                if (by_end_[present].begin > last_present) {
                    last_present = by_end_[present].begin;
                    present_version = by_end_[present].version;
                }
            }
            if (miss.kind != missed) {
                continue;
            }
            // The removal that may have come last, of all that began before the miss ended. Those between the begins of
            // two misses and the end of the first are looked at again for the second; they are few.
            for (; removal < absences_.size() && absences_[removal].event.begin < miss.event.begin; ++removal) {
                if (absences_[removal].kind != missed) {
                    last_removed = std::max(last_removed, absences_[removal].event.end);
                }
            }
            std::uint64_t removed = last_removed;
            for (std::size_t i = removal; i < absences_.size() && absences_[i].event.begin < miss.event.end; ++i) {
                if (absences_[i].kind != missed) {
                    removed = std::max(removed, absences_[i].event.end);
                }
            }
            if (last_present > removed) {
                report(oracle_violation{"a persistent page is gone", miss.event, present_version});
            }
        }
    }

    /// Of each erase that found a page, whether there may have been one.
    template <class Report>
    void judge_removals(Report& report) {
        if (went_ > came_) {
            report(oracle_violation{"more pages went than came", {}, went_ - came_});
        }
        order_by_begin();
        for (const absence& erase : absences_) {
            if (erase.kind != removes_found) {
                continue;
            }
            std::uint64_t put_by = 0;
            bool was_put = false;
            for (const sighting& s : seen_) {
                if (s.operation == oracle_operation::put && s.begin < erase.event.end) {
                    put_by = std::max(put_by, s.end);
                    was_put = true;
                }
            }
            const bool was_absent_since = std::any_of(absences_.begin(), absences_.end(), [&](const absence& a) {
                return a.event.begin > put_by && a.event.end < erase.event.begin;
            });
            if (!was_put || was_absent_since) {
                report(oracle_violation{"an erase found a page that was gone", erase.event, put_by});
            }
        }
    }
    void order_by_begin() {
        std::sort(absences_.begin(), absences_.end(),
                  [](const absence& a, const absence& b) { return a.event.begin < b.event.begin; });
    }

    std::vector<sighting> seen_;
    std::vector<absence> absences_;
    std::vector<interval> zones_, points_, by_end_;
    std::uint64_t came_ = 0, went_ = 0;
};

} // namespace pagefold::testing
