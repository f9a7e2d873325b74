// The kernels on whole arrays in memory: what tests, benchmarks and small tensors need.
#include <napi.h>

#include <string>

#include "../kernels/kernels.h"

namespace {

using namespace mlxconvert;

[[noreturn]] void refuse(Napi::Env env, const std::string& what) { throw Napi::Error::New(env, what); }

std::string argument(size_t index) { return "argument " + std::to_string(index + 1); }

Napi::Uint8Array bytes(const Napi::CallbackInfo& info, size_t index) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    refuse(info.Env(), argument(index) + ": expected a Uint8Array");
  }
  return value.As<Napi::Uint8Array>();
}

int integer(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsNumber()) refuse(info.Env(), argument(index) + ": expected a number");
  return info[index].As<Napi::Number>().Int32Value();
}

DType dtype(const Napi::CallbackInfo& info, size_t index, DType last) {
  const int number = integer(info, index);
  if (number < 0 || number > static_cast<int>(last)) {
    refuse(info.Env(), argument(index) + ": no kernel for dtype " + std::to_string(number));
  }
  return static_cast<DType>(number);
}

const Kernels& kernels(const Napi::CallbackInfo& info, size_t index) {
  if (info[index].IsUndefined()) return best_kernels();
  if (!info[index].IsString()) refuse(info.Env(), argument(index) + ": expected the name of an instruction set");
  const std::string name = info[index].As<Napi::String>();
  const Kernels* found = kernels_by_name(name.c_str());
  if (found == nullptr) refuse(info.Env(), "this processor or build has no instruction set \"" + name + "\"");
  return *found;
}

// The three numbers from `index` on: mode, bits and group size, in a combination that the kernels have.
Quantization quantization(const Napi::CallbackInfo& info, size_t index) {
  const int mode = integer(info, index), bits = integer(info, index + 1), group = integer(info, index + 2);
  const bool known = [&] {
    switch (static_cast<Mode>(mode)) {
      case Mode::affine:
        return bits >= 1 && bits <= 8 && bits != 7 && (group == 32 || group == 64 || group == 128);
      case Mode::mxfp4:
        return bits == 4 && group == 32;
      case Mode::mxfp8:
        return bits == 8 && group == 32;
      case Mode::nvfp4:
        return bits == 4 && group == 16;
    }
    return false;
  }();
  if (!known) {
    refuse(info.Env(), "no kernel for mode " + std::to_string(mode) + " with bits " + std::to_string(bits) +
                           " and group size " + std::to_string(group));
  }
  return {static_cast<Mode>(mode), bits, group};
}

void expect_size(Napi::Env env, const char* what, size_t expected, size_t got) {
  if (expected != got) {
    refuse(env, std::string(what) + ": expected " + std::to_string(expected) + " bytes, got " + std::to_string(got));
  }
}

// quantize(w, dtype, mode, bits, groupSize, instructionSet?) => { packed, scales, biases? }
Napi::Value quantize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto w = bytes(info, 0);
  const DType type = dtype(info, 1, DType::bfloat16);
  const Quantization q = quantization(info, 2);
  const Kernels& k = kernels(info, 5);
  const size_t group_bytes = static_cast<size_t>(q.group_size) * size_of(type);
  if (w.ByteLength() % group_bytes != 0) {
    refuse(env, "expected a multiple of " + std::to_string(group_bytes) + " bytes, a group, got " +
                    std::to_string(w.ByteLength()));
  }
  const size_t count = w.ByteLength() / size_of(type);
  const size_t groups = w.ByteLength() / group_bytes;
  const bool affine = q.mode == Mode::affine;

  auto packed = Napi::Uint8Array::New(env, count * static_cast<size_t>(q.bits) / 8);
  auto scales = Napi::Uint8Array::New(env, groups * (affine ? size_of(type) : 1));
  auto biases = Napi::Uint8Array::New(env, affine ? scales.ByteLength() : 0);
  k.quantize(w.Data(), type, count, q, packed.Data(), scales.Data(), biases.Data());

  auto result = Napi::Object::New(env);
  result["packed"] = packed;
  result["scales"] = scales;
  if (affine) result["biases"] = biases;
  return result;
}

// dequantize(packed, scales, biases, scalesDtype, dtype, mode, bits, groupSize, count, instructionSet?) => Uint8Array
Napi::Value dequantize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto packed = bytes(info, 0);
  const auto scales = bytes(info, 1);
  const DType scales_type = dtype(info, 3, DType::bfloat16);
  const DType out_type = dtype(info, 4, DType::bfloat16);
  const Quantization q = quantization(info, 5);
  const Kernels& k = kernels(info, 9);
  if (!info[8].IsNumber()) refuse(env, argument(8) + ": expected a number");
  const int64_t count = info[8].As<Napi::Number>().Int64Value();
  // Checked against the bytes that are there, so that nothing absurd is allocated.
  const auto most = static_cast<int64_t>(packed.ByteLength() * 8);
  if (count < 0 || count > most || count % q.group_size != 0) {
    refuse(env, "count: expected a multiple of the group size " + std::to_string(q.group_size) + ", at most " +
                    std::to_string(most) + ", got " + std::to_string(count));
  }
  const auto elements = static_cast<size_t>(count);
  const size_t groups = elements / static_cast<size_t>(q.group_size);
  const bool affine = q.mode == Mode::affine;
  expect_size(env, "packed", elements * static_cast<size_t>(q.bits) / 8, packed.ByteLength());
  expect_size(env, "scales", groups * (affine ? size_of(scales_type) : 1), scales.ByteLength());
  const uint8_t* biases = nullptr;
  if (affine) {
    const auto array = bytes(info, 2);
    expect_size(env, "biases", scales.ByteLength(), array.ByteLength());
    biases = array.Data();
  }

  auto out = Napi::Uint8Array::New(env, elements * size_of(out_type));
  k.dequantize(packed.Data(), scales.Data(), biases, scales_type, out_type, elements, q, out.Data());
  return out;
}

// cast(bytes, from, to, instructionSet?) => Uint8Array
Napi::Value cast(const Napi::CallbackInfo& info) {
  const auto in = bytes(info, 0);
  const DType from = dtype(info, 1, DType::float64);
  const DType to = dtype(info, 2, DType::float64);
  const Kernels& k = kernels(info, 3);
  if (in.ByteLength() % size_of(from) != 0) {
    refuse(info.Env(), "expected a multiple of " + std::to_string(size_of(from)) + " bytes, got " +
                           std::to_string(in.ByteLength()));
  }
  const size_t count = in.ByteLength() / size_of(from);
  auto out = Napi::Uint8Array::New(info.Env(), count * size_of(to));
  k.cast(in.Data(), from, out.Data(), to, count);
  return out;
}

}  // namespace

void export_arrays(Napi::Env env, Napi::Object exports) {
  exports["quantize"] = Napi::Function::New<quantize>(env, "quantize");
  exports["dequantize"] = Napi::Function::New<dequantize>(env, "dequantize");
  exports["cast"] = Napi::Function::New<cast>(env, "cast");
}
