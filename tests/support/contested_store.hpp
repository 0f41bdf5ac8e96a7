// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/stats.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing {

/// A store whose type is forgotten: what uses it is compiled once, not for each configuration.
class contested_store {
public:
    virtual ~contested_store() = default;
    virtual result<pool_id> create_pool(const pool_options& options) = 0;
    virtual status destroy_pool(pool_id id) = 0;
    virtual status set_node(pool_id id, node_id node, std::size_t work) = 0;
    virtual status put(const page_key& key, byte_view page) = 0;
    virtual status get(const page_key& key, byte_span out) = 0;
    virtual status take(const page_key& key, byte_span out) = 0;
    virtual status erase(const page_key& key) = 0;
    virtual result<std::size_t> erase_object(pool_id pool, std::uint64_t object) = 0;
    virtual result<std::size_t> erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                            std::uint64_t count) = 0;
    virtual status resize(std::size_t bytes) = 0;
    virtual std::size_t shrink(std::size_t bytes) = 0;
    virtual std::size_t compact(std::size_t bytes) = 0;
    [[nodiscard]] virtual store_stats stats() const = 0;
    [[nodiscard]] virtual result<pool_stats> statistics_of(pool_id id) const = 0;
    [[nodiscard]] virtual bool check() const = 0;
};

template <class Store>
class contested final : public contested_store {
public:
    template <class... Argument>
    explicit contested(Argument&... argument) : store_{argument...} {}

    result<pool_id> create_pool(const pool_options& options) override { return store_.create_pool(options); }
    status destroy_pool(pool_id id) override { return store_.destroy_pool(id); }
    status set_node(pool_id id, node_id node, std::size_t work) override {
        return store_.set_node(id, node, false, work);
    }
    status put(const page_key& key, byte_view page) override { return store_.put(key, page); }
    status get(const page_key& key, byte_span out) override { return store_.get(key, out); }
    status take(const page_key& key, byte_span out) override { return store_.take(key, out); }
    status erase(const page_key& key) override { return store_.erase(key); }
    result<std::size_t> erase_object(pool_id pool, std::uint64_t object) override {
        return store_.erase_object(pool, object);
    }
    result<std::size_t> erase_range(pool_id pool, std::uint64_t object, std::uint64_t first,
                                    std::uint64_t count) override {
        return store_.erase_range(pool, object, first, count);
    }
    status resize(std::size_t bytes) override { return store_.resize(bytes); }
    std::size_t shrink(std::size_t bytes) override { return store_.shrink(bytes); }
    std::size_t compact(std::size_t bytes) override { return store_.compact(bytes); }
    [[nodiscard]] store_stats stats() const override { return store_.stats(); }
    [[nodiscard]] result<pool_stats> statistics_of(pool_id id) const override { return store_.statistics_of(id); }
    [[nodiscard]] bool check() const override { return store_.check(); }

private:
    Store store_;
};

} // namespace pagefold::testing
