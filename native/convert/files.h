// Files as the executor uses them: descriptors that JavaScript opened, read and written at offsets by many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace mlxconvert {

struct File {
  int fd;
  std::string path;  // for messages
};

// What the operating system refused, by its number; 0 where it was something else.
class FileError : public std::runtime_error {
 public:
  FileError(const File& file, int number) : runtime_error(std::strerror(number)), path(file.path), number(number) {}
  FileError(const File& file, const std::string& what) : runtime_error(what), path(file.path) {}

  std::string path;
  int number = 0;
};

// Exactly `size` bytes, or an error: an end of file in between means that the file became shorter.
void read_at(const File& file, uint64_t offset, void* data, size_t size);
void write_at(const File& file, uint64_t offset, const void* data, size_t size);

// Tells the system that these bytes are wanted soon. Only a hint.
void will_read(const File& file, uint64_t offset, uint64_t size);

// Lets the system bring these bytes to the disk while others are computed. Only a hint.
void will_sync(const File& file, uint64_t offset, uint64_t size);

// Gives a new file its final size and claims the space for it, so that a full disk is found before any work.
void allocate(const File& file, uint64_t size);

// Swaps two paths in one step where the system can do that; false where it cannot.
bool exchange_paths(const std::string& a, const std::string& b);

}  // namespace mlxconvert
