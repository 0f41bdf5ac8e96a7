// SPDX-License-Identifier: MIT
//
// What the name may depend on is in tests/packaging/mixed_units.sh; here is what a host writes in spite of it.

#include <pagefold/config/abi.hpp>

namespace pagefold::inline PAGEFOLD_ABI {
struct page_key;
} // namespace pagefold

namespace unit_config_abi {
namespace {
bool is_first(const pagefold::page_key& key);
} // namespace
} // namespace unit_config_abi

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <doctest/doctest.h>

namespace unit_config_abi {
namespace {
struct mine {};
bool is_first(const pagefold::page_key& key) { return key == pagefold::page_key{} && key.index == 0; }
} // namespace
} // namespace unit_config_abi

template <>
class pagefold::result<unit_config_abi::mine> {
public:
    int answer = 42;
};

namespace unit_config_abi {

TEST_CASE("abi: a class that was declared in its namespace is the one that the header defines") {
    CHECK(is_first({}));
    CHECK_FALSE(is_first({pagefold::pool_id{}, 0, 1}));
}

TEST_CASE("abi: a template is specialised by the short name") { CHECK(pagefold::result<mine>{}.answer == 42); }

} // namespace unit_config_abi
