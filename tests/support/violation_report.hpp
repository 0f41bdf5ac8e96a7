// SPDX-License-Identifier: MIT
#pragma once

#include "support/store_oracle.hpp"

#include <pagefold/core/status.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::testing {

/// Counts violations by the rule that they broke, and tells of the first ones in detail.
class violation_report {
public:
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::string text() const {
        std::string all;
        for (const auto& [rule, count] : rules_) {
            all += std::string{"  "} + rule + ": " + std::to_string(count) + "\n";
        }
        return all + details_;
    }

    void add(const char* rule) {
        ++count_;
        const auto known = std::find_if(rules_.begin(), rules_.end(), [&](const auto& r) { return r.first == rule; });
        if (known != rules_.end()) {
            ++known->second;
        } else {
            rules_.emplace_back(rule, 1);
        }
    }
    /// `events` are the key's, by their begins; `when` is for whoever runs it again.
    void add(const oracle_violation& v, std::span<const oracle_event> events, const std::string& when) {
        add(v.rule);
        if (detailed_++ >= most_details) {
            return;
        }
        details_ += "  " + when + ", key " + std::to_string(v.event.key) + ": " + v.rule + " (" +
                    std::to_string(v.other) + ")\n    " + text_of(v.event) + "\n    among\n";
        // What overlaps it or stands near it.
        auto from = std::lower_bound(events.begin(), events.end(), v.event.begin,
                                     [](const oracle_event& e, std::uint64_t begin) { return e.begin < begin; });
        from -= std::min<std::ptrdiff_t>(from - events.begin(), 8);
        for (auto e = from; e != events.end() && e - from < 14; ++e) {
            details_ += "    " + text_of(*e) + "\n";
        }
    }

private:
    static constexpr unsigned most_details = 8;

    static std::string text_of(const oracle_event& e) {
        static constexpr const char* names[] = {"put", "get", "take", "erase", "erase_many"};
        return std::string{names[static_cast<unsigned>(e.operation)]} + " " + to_string(e.answer) + " version " +
               std::to_string(e.version) + " from " + std::to_string(e.begin) + " to " + std::to_string(e.end);
    }

    std::uint64_t count_ = 0, detailed_ = 0;
    std::vector<std::pair<const char*, std::uint64_t>> rules_;
    std::string details_;
};

} // namespace pagefold::testing
