// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>

#if defined(__SANITIZE_THREAD__)
#define PAGEFOLD_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAGEFOLD_TEST_TSAN 1
#endif
#endif
#ifndef PAGEFOLD_TEST_TSAN
#define PAGEFOLD_TEST_TSAN 0
#endif

#if PAGEFOLD_TEST_TSAN
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}
#endif

namespace pagefold::testing {

/// A store for pagers. Where memory is evicted in place the pager reads pages that the program wrote, and what orders the two
/// is the kernel's write protection, which ThreadSanitizer knows nothing of: there the reads of a put are left out of its
/// reckoning. Its writes, and all else, are not.
template <class Store>
struct tsan_ordered : Store {
    using Store::Store;

    status put(const page_key& key, byte_view page) noexcept {
#if PAGEFOLD_TEST_TSAN
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        const status s = Store::put(key, page);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
        return s;
#else
        return Store::put(key, page);
#endif
    }
};

} // namespace pagefold::testing
