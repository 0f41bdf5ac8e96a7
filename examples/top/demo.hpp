// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

namespace top {

/// A store with four tenants that work on it, and publish once in 200 ms; what a host has to do for this program.
///
/// `web` reads much and puts what it missed, `build` sweeps over more than there is room for, `mail` keeps its pages up to a cap,
/// and `attic` put its pages once and looks at them seldom: its ages grow.
class demo {
public:
    /// Throws failure where the file can't be published to, or there is no thread.
    explicit demo(const std::string& path);
    ~demo();
    demo(const demo&) = delete;
    demo& operator=(const demo&) = delete;

private:
    class host;
    std::unique_ptr<host> host_;
};

} // namespace top
