// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "support/tsan_ordered.hpp"

#if PAGEFOLD_TEST_TSAN
// A fault that uffd_pager resolves in a SIGBUS handler may take memory from a page source, and the tests' one allocates. That
// is no asynchronous signal, which ThreadSanitizer can't tell: see sigbus_router.hpp.
extern "C" const char* __tsan_default_options();
const char* __tsan_default_options() { return "report_signal_unsafe=0"; }
#endif
