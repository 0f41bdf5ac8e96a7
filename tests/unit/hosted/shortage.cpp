// SPDX-License-Identifier: MIT
#include <pagefold/hosted/shortage.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

namespace pagefold::testing::unit_hosted_shortage {
namespace {

TEST_CASE("shortage: what is used up passes, what is refused does not") {
    for (const int error : {EMFILE, ENFILE, ENOMEM, EAGAIN, ENOSPC}) {
        CAPTURE(error);
        CHECK(is_shortage(error));
        CHECK_FALSE(is_refusal(error));
        CHECK(status_of_errno(error) == status::no_memory);
    }
    for (const int error : {ENOSYS, EPERM, EACCES, EINVAL, EOPNOTSUPP, ENOTTY}) {
        CAPTURE(error);
        CHECK(is_refusal(error));
        CHECK_FALSE(is_shortage(error));
        CHECK(status_of_errno(error) == status::invalid);
    }
    for (const int error : {0, EBUSY, EEXIST, EFAULT}) {
        CHECK_FALSE(is_shortage(error));
        CHECK_FALSE(is_refusal(error));
    }
}

TEST_CASE("shortage: used up descriptors are told by their limit, all else by who calls") {
    CHECK(std::string(cause_of_errno(EMFILE, "open")).find("RLIMIT_NOFILE") != std::string::npos);
    CHECK(std::string(cause_of_errno(ENFILE, "open")).find("fs.file-max") != std::string::npos);
    CHECK(std::string(cause_of_errno(ENOMEM, "open")) == "open");
    CHECK(std::string(cause_of_errno(EPERM, "open")) == "open");
}

} // namespace
} // namespace pagefold::testing::unit_hosted_shortage
