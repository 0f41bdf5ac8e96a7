// SPDX-License-Identifier: MIT
#pragma once

#include "page_input.hpp"
#include "page_sights.hpp"

#include <pagefold/control/page_ages.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <unordered_map>
#include <vector>

namespace page_report {

/// The private anonymous pages of a process, and for how many sweeps each was not accessed. A sweep is made in steps of so many pages
/// as the caller says: first all mapped addresses are asked for pages that are new, then each page is looked at.
///
/// Per page that is in memory: an address, an age, a number in a table of addresses. A page that went, to swap or for good, is
/// forgotten, and its number is another's.
class watched_process {
public:
    enum class outcome {
        more,  ///< of this sweep is left
        swept, ///< this sweep is over; the next call begins another
        ended, ///< the process did, or may not be read any more
    };

    /// Throws `failure` where there is no such process or it may not be read.
    explicit watched_process(pid_t id, kernel_files files = {});

    /// Looks at up to `most` addresses or pages.
    [[nodiscard]] outcome step(std::size_t most);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const page_sights& sights() const noexcept { return *sights_; }
    [[nodiscard]] pagefold::page_ages& ages() noexcept { return ages_; }
    [[nodiscard]] const pagefold::page_ages& ages() const noexcept { return ages_; }
    /// Where page number `slot` lies; pages that ages() has.
    [[nodiscard]] std::uint64_t address(std::size_t slot) const noexcept { return addresses_[slot]; }
    [[nodiscard]] std::string directory() const { return directory_; }

private:
    enum class phase { idle, finding, looking };
    struct range {
        std::uint64_t begin, end;
    };

    [[nodiscard]] bool begin_sweep();
    [[nodiscard]] std::uint64_t start_time() const;
    void find(std::size_t most);
    void add(std::uint64_t address);
    pagefold::page_sight look(std::size_t slot);

    kernel_files files_;
    pid_t id_;
    std::string directory_;
    std::string name_;
    std::uint64_t started_ = 0; ///< a process with the same id that started later is another one
    std::unique_ptr<page_sights> sights_;
    page_map map_;
    std::vector<range> ranges_;
    std::size_t range_ = 0; ///< where the finding is
    std::uint64_t at_ = 0;
    phase phase_ = phase::idle;
    std::vector<std::uint64_t> addresses_;
    std::vector<std::size_t> free_;
    std::unordered_map<std::uint64_t, std::size_t> slots_;
    std::vector<std::uint8_t> bytes_;
    pagefold::page_ages ages_{nullptr, 0};
};

} // namespace page_report
