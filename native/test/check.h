// A test is a function that makes checks: TEST(name) { CHECK(a == b); }. main.cpp runs them all.
#pragma once

#include <string>
#include <vector>

struct Test {
  const char* name;
  void (*run)();
};

inline std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

struct Registration {
  Registration(const char* name, void (*run)()) { all_tests().push_back({name, run}); }
};

#define TEST(name)                                    \
  static void name();                                 \
  static const Registration name##_test(#name, name); \
  static void name()

// Ends the test when `ok` is false; `explain` says what was expected and what came.
struct Failure {
  std::string text;
};

inline void check(bool ok, const char* file, int line, const std::string& explain) {
  if (!ok) throw Failure{std::string(file) + ":" + std::to_string(line) + ": " + explain};
}

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_THAT(condition, explain) check((condition), __FILE__, __LINE__, (explain))
