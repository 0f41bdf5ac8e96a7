// SPDX-License-Identifier: MIT
//
// Random operations on an allocator and on a naive model of one: a map from handles to the bytes that were written. After
// every operation its answers must agree with the model's, now and then the whole of both is compared.

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/core/bytes.hpp>

#include <support/environment.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <unordered_map>
#include <vector>

namespace pagefold::testing::model_alloc {
namespace {

template <compacting_allocator Allocator>
class allocator_model {
public:
    explicit allocator_model(std::uint64_t seed) : random_{seed} {}

    void run(unsigned operations) {
        for (unsigned i = 0; i < operations; ++i) {
            step(i);
            if (random_.one_in(512)) {
                compare();
            }
        }
        compare();
    }

private:
    using contents = std::vector<std::byte>;

    void step(unsigned i) {
        const bool filling = i / 1500 % 2 == 0;
        const std::uint64_t choice = random_.below(1000);
        if (handles_.empty() || choice < (filling ? 500 : 250)) {
            allocate();
        } else if (choice < 750) {
            deallocate();
        } else if (choice < 850) {
            write(random_.below(handles_.size()));
        } else if (choice < 960) {
            read();
        } else if (choice < 966) {
            plan();
        } else if (choice < 968) {
            allocator_.finish_compaction();
            CHECK(std::none_of(handles_.begin(), handles_.end(), [&](auto h) { return allocator_.misplaced(h); }));
        } else if (choice < 970) {
            squeeze();
        } else if (choice < 985) {
            relocate_some();
        } else {
            relocate_named();
        }
    }

    [[nodiscard]] std::size_t some_size() {
        switch (random_.below(8)) {
        case 0: return Allocator::max_size;
        case 1: return 1 + random_.below(64);
        case 2: return 1 + random_.below(Allocator::max_size);
        default: return 1 + random_.below(Allocator::max_size / 3);
        }
    }
    [[nodiscard]] contents some_bytes(std::size_t n) {
        contents bytes(n, static_cast<std::byte>(random_()));
        for (std::size_t at = random_.below(16); at < n; at += 1 + random_.below(n / 8 + 1)) {
            bytes[at] = static_cast<std::byte>(random_());
        }
        return bytes;
    }

    void allocate() {
        const std::size_t n = some_size();
        const result<object_handle> h = allocator_.allocate(n);
        if (!h) {
            REQUIRE(h.error() == status::limit);
            REQUIRE(squeezed_);
            return;
        }
        REQUIRE(model_.find(*h) == model_.end());
        REQUIRE(allocator_.capacity(*h) >= n);
        REQUIRE_FALSE(allocator_.misplaced(*h));
        handles_.push_back(*h);
        model_[*h] = some_bytes(n);
        allocator_.write(*h, model_[*h]);
        tag(handles_.size() - 1);
    }
    /// Leads from the place to the handle, as far as the content leaves room for it.
    void tag(std::size_t at) {
        const byte_span place = allocator_.place(handles_[at]);
        if (model_[handles_[at]].size() + owner_bytes <= place.size() && place.size() < Allocator::max_size) {
            store_native(place.data() + place.size() - owner_bytes, static_cast<std::uint32_t>(at));
        }
    }
    void deallocate() {
        const std::size_t at = random_.below(handles_.size());
        verify(handles_[at]);
        allocator_.deallocate(handles_[at]);
        REQUIRE_FALSE(allocator_.contains(handles_[at]));
        model_.erase(handles_[at]);
        handles_[at] = handles_.back();
        handles_.pop_back();
        if (at < handles_.size()) {
            tag(at);
        }
    }
    void write(std::size_t at) {
        contents& bytes = model_[handles_[at]];
        bytes = some_bytes(1 + random_.below(allocator_.capacity(handles_[at])));
        allocator_.write(handles_[at], bytes);
        tag(at);
    }
    void read() { verify(handles_[random_.below(handles_.size())]); }
    void plan() {
        const std::size_t budget = random_.one_in(2) ? ~std::size_t{0} : random_.below(20 * Allocator::max_size);
        const std::size_t held = allocator_.bytes_held(); // a guard gives some of it back at once
        const std::size_t planned = allocator_.plan_compaction(budget);
        CHECK(planned <= held);
        CHECK(planned % Allocator::max_size == 0);
    }
    void relocate_some() {
        const std::uint64_t acquisitions = source_.acquisitions();
        for (unsigned i = 0; i < 16; ++i) {
            const std::size_t at = random_.below(handles_.size());
            if (!allocator_.misplaced(handles_[at])) {
                continue;
            }
            relocate(at);
        }
        CHECK(source_.acquisitions() == acquisitions);
    }
    /// Those whose tag the content has not overwritten.
    void relocate_named() {
        const std::uint64_t acquisitions = source_.acquisitions();
        for (unsigned i = 0; i < 16; ++i) {
            const byte_span place = allocator_.next_misplaced();
            if (place.empty()) {
                break;
            }
            const std::size_t at = load_native<std::uint32_t>(place.data() + place.size() - owner_bytes);
            if (at < handles_.size() && allocator_.place(handles_[at]).data() == place.data()) {
                REQUIRE(allocator_.place(handles_[at]).size() == place.size());
                REQUIRE(allocator_.misplaced(handles_[at]));
                relocate(at);
            }
        }
        CHECK(source_.acquisitions() == acquisitions);
    }
    void relocate(std::size_t at) {
        const result<object_handle> h = allocator_.relocate(handles_[at]);
        if (!h) {
            CHECK(h.error() == status::no_memory);
            return;
        }
        REQUIRE(model_.find(*h) == model_.end());
        REQUIRE_FALSE(allocator_.misplaced(*h));
        REQUIRE_FALSE(allocator_.contains(handles_[at]));
        auto node = model_.extract(handles_[at]);
        node.key() = *h;
        model_.insert(std::move(node));
        handles_[at] = *h;
        verify(*h);
        tag(at);
    }
    /// Switches between a source that has plenty and one at its limit.
    void squeeze() {
        squeezed_ = !squeezed_;
        source_.set_limit(squeezed_ ? source_.bytes_held() : ~std::size_t{0});
    }

    void verify(object_handle h) {
        const contents& bytes = model_[h];
        const byte_view view = allocator_.read(h, bytes.size(), {});
        REQUIRE(view.size() == bytes.size());
        REQUIRE(std::memcmp(view.data(), bytes.data(), bytes.size()) == 0);
    }
    void compare() {
        std::size_t written = 0, capacity = 0;
        for (const object_handle h : handles_) {
            verify(h);
            REQUIRE(allocator_.contains(h));
            REQUIRE(allocator_.place(h).size() == allocator_.capacity(h));
            written += model_[h].size();
            capacity += allocator_.capacity(h);
        }
        REQUIRE(model_.size() == handles_.size());
        REQUIRE(written <= capacity);
        REQUIRE(allocator_.allocated_bytes() == capacity);
        REQUIRE(allocator_.bytes_held() >= capacity);
        REQUIRE(allocator_.bytes_held() + allocator_.table_bytes() == source_.bytes_held());
        REQUIRE(allocator_.check());
    }

    rng random_;
    test_source source_;
    Allocator allocator_{source_, any_node};
    std::unordered_map<object_handle, contents> model_;
    std::vector<object_handle> handles_; // the model's keys
    bool squeezed_ = false;
};

TEST_CASE_TEMPLATE("zs does what the model does", Allocator, zs<test_source, 4096, 1>, zs<test_source, 4096, 4>,
                   zs<test_source, 4096, 8>, zs<test_source, 16384, 1>, zs<test_source, 16384, 4>,
                   zs<test_source, 16384, 8>, zs<test_source, 65536, 1>, zs<test_source, 65536, 4>,
                   zs<test_source, 65536, 8>) {
    for (std::uint64_t seed = 1; seed <= (Allocator::max_size == 4096 ? 4 : 1); ++seed) {
        CAPTURE(seed);
        allocator_model<Allocator>{seed}.run(in_part(20000u));
    }
}

TEST_CASE_TEMPLATE("xv does what the model does", Allocator, xv<test_source, 4096, 1>, xv<test_source>,
                   xv<test_source, 4096, 15>, xv<test_source, 16384>, xv<test_source, 65536>) {
    for (std::uint64_t seed = 1; seed <= (Allocator::max_size == 4096 ? 4 : 1); ++seed) {
        CAPTURE(seed);
        allocator_model<Allocator>{seed}.run(in_part(20000u));
    }
}

TEST_CASE_TEMPLATE("decorated, xv does what the model does", Allocator, guarded<xv<test_source>>,
                   guarded<counted<wiped<xv<test_source, 65536>>>>) {
    for (std::uint64_t seed = 1; seed <= (Allocator::max_size == 4096 ? 4 : 1); ++seed) {
        CAPTURE(seed);
        allocator_model<Allocator>{seed}.run(in_part(20000u));
    }
}

TEST_CASE_TEMPLATE("tlsf does what the model does", Allocator, tlsf<test_source, 4096, 16>, tlsf<test_source, 4096, 32>,
                   tlsf<test_source, 16384, 16>, tlsf<test_source, 16384, 32>, tlsf<test_source, 65536, 16>,
                   tlsf<test_source, 65536, 32>, guarded<tlsf<test_source>>) {
    for (std::uint64_t seed = 1; seed <= (Allocator::max_size == 4096 ? 4 : 1); ++seed) {
        CAPTURE(seed);
        allocator_model<Allocator>{seed}.run(in_part(20000u));
    }
}

TEST_CASE_TEMPLATE("decorated, zs does what the model does", Allocator, guarded<zs<test_source>>,
                   guarded<zs<test_source, 16384, 4>>, guarded<zs<test_source, 65536, 8>>, counted<zs<test_source>>,
                   wiped<zs<test_source>>, guarded<counted<wiped<zs<test_source>>>>) {
    for (std::uint64_t seed = 1; seed <= (Allocator::max_size == 4096 ? 4 : 1); ++seed) {
        CAPTURE(seed);
        allocator_model<Allocator>{seed}.run(in_part(20000u));
    }
}

} // namespace
} // namespace pagefold::testing::model_alloc
