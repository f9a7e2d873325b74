#include <cstdio>
#include <exception>

#include "check.h"

int main() {
  int passed = 0, failed = 0;
  for (const Test& test : all_tests()) {
    try {
      test.run();
      passed++;
    } catch (const Failure& failure) {
      failed++;
      printf("FAILED %s\n  %s\n", test.name, failure.text.c_str());
    } catch (const std::exception& error) {
      failed++;
      printf("FAILED %s\n  it threw: %s\n", test.name, error.what());
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
