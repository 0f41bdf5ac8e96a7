// SPDX-License-Identifier: MIT
#include "support/rng.hpp"

#include <pagefold/hosted/frame_queue.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <deque>

namespace pagefold::testing::unit_hosted_frame_queue {
namespace {

TEST_CASE("frame_queue: without frames nothing can be appended") {
    frame_queue queue;
    CHECK(queue.append(1) == frame_queue::empty);
    CHECK(queue.open(0));
    CHECK(queue.append(1) == frame_queue::empty);
    CHECK(queue.used() == 0);
}

TEST_CASE("frame_queue: a run never goes over the end") {
    frame_queue queue;
    REQUIRE(queue.open(8));
    CHECK(queue.append(6) == 0);
    CHECK(queue.append(4) == frame_queue::empty);
    for (int i = 0; i < 6; ++i) {
        queue.pop();
    }
    CHECK(queue.length() == 0);
    CHECK(queue.append(4) == 0); // two frames at the end were skipped
    CHECK(queue.length() == 6);
    CHECK(queue.append(9) == frame_queue::empty);
}

TEST_CASE("frame_queue: random operations against a deque") {
    rng random{3};
    frame_queue queue;
    constexpr std::size_t frames = 97;
    REQUIRE(queue.open(frames));
    std::deque<slot_id> model;
    std::size_t used = 0;
    for (slot_id step = 0; step < 20'000; ++step) {
        if (random.one_in(2)) {
            const std::size_t count = 1 + random.below(20);
            const std::size_t tail = (queue.head() + model.size()) % frames;
            const std::uint32_t first = queue.append(count);
            if (first == frame_queue::empty) {
                const std::size_t skipped = tail + count > frames ? frames - tail : 0;
                CHECK(model.size() + skipped + count > frames);
                continue;
            }
            REQUIRE(first + count <= frames);
            while ((queue.head() + model.size()) % frames != first) {
                model.push_back(frame_queue::empty);
            }
            for (std::size_t i = 0; i < count; ++i) {
                model.push_back(frame_queue::empty);
                if (random.below(3) != 0) {
                    queue.fill(first + i, step);
                    model.back() = step;
                    ++used;
                    if (random.one_in(4)) {
                        queue.leave(first + i);
                        model.back() = frame_queue::rest;
                    }
                }
            }
        } else if (!model.empty()) {
            REQUIRE(queue.page(queue.head()) == model.front());
            used -= model.front() != frame_queue::empty ? 1 : 0;
            model.pop_front();
            queue.pop();
        }
        REQUIRE(queue.length() == model.size());
        REQUIRE(queue.used() == used);
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_frame_queue
