// The addon is a list of exports; src/native.ts describes them. What arrives here was checked in TypeScript.
#include <napi.h>

#include <memory>
#include <optional>

#include "executor.h"

void export_arrays(Napi::Env env, Napi::Object exports);  // arrays.cpp

namespace {

using namespace mlxconvert;

uint64_t u64(const Napi::Value& value) { return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()); }
int integer(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }
DType dtype(const Napi::Value& value) { return static_cast<DType>(integer(value)); }

Quantization quantization(const Napi::Object& o) {
  return {static_cast<Mode>(integer(o.Get("mode"))), integer(o.Get("bits")), integer(o.Get("groupSize"))};
}

ExpressionPtr expression(const Napi::Object& node, const std::vector<File>& files) {
  const std::string op = node.Get("op").As<Napi::String>();
  const auto inputs = [&] {
    std::vector<ExpressionPtr> all;
    const auto list = node.Get("inputs").As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::HandleScope scope(node.Env());
      all.push_back(expression(list.Get(i).As<Napi::Object>(), files));
    }
    return all;
  };
  if (op == "source") {
    std::vector<Axis> axes;
    const auto sizes = node.Get("sizes").As<Napi::Array>(), strides = node.Get("strides").As<Napi::Array>();
    for (uint32_t i = 0; i < sizes.Length(); ++i) axes.push_back({u64(sizes.Get(i)), u64(strides.Get(i))});
    return make_source(files.at(u64(node.Get("file"))), u64(node.Get("offset")), u64(node.Get("itemBytes")),
                       std::move(axes));
  }
  auto in = inputs();
  if (op == "concat") return make_concat(u64(node.Get("outer")), std::move(in));
  if (op == "cast") return make_cast(std::move(in.at(0)), dtype(node.Get("from")), dtype(node.Get("to")));
  if (op == "add") return make_add(std::move(in.at(0)), std::move(in.at(1)), dtype(node.Get("dtype")));
  if (op == "scale") {
    return make_scale(std::move(in.at(0)), dtype(node.Get("dtype")), node.Get("factor").As<Napi::Number>().FloatValue(),
                      node.Get("offset").As<Napi::Number>().FloatValue());
  }
  if (op == "dequantize") {
    return make_dequantize(std::move(in.at(0)), std::move(in.at(1)), in.size() > 2 ? std::move(in[2]) : nullptr,
                           dtype(node.Get("scalesDtype")), dtype(node.Get("dtype")),
                           quantization(node.Get("quantization").As<Napi::Object>()));
  }
  throw Napi::Error::New(node.Env(), "unknown operation " + op);
}

Job job(const Napi::Object& o, const std::vector<File>& files) {
  Job result;
  result.input = expression(o.Get("input").As<Napi::Object>(), files);
  result.tile = u64(o.Get("tile"));
  if (o.Has("dtype")) result.dtype = dtype(o.Get("dtype"));
  if (o.Has("quantization")) result.quantization = quantization(o.Get("quantization").As<Napi::Object>());
  if (o.Has("expected")) result.expected = expression(o.Get("expected").As<Napi::Object>(), files);
  const auto places = o.Get("places").As<Napi::Array>();
  for (uint32_t i = 0; i < places.Length(); ++i) {
    const auto place = places.Get(i).As<Napi::Object>();
    result.places.push_back({&files.at(u64(place.Get("file"))), u64(place.Get("offset"))});
  }
  return result;
}

// As Node's own errors are: the number negative, and the path.
Napi::Error system_error(Napi::Env env, const FileError& refused) {
  auto error = Napi::Error::New(env, refused.what());
  error.Set("path", refused.path);
  if (refused.number != 0) error.Set("errno", static_cast<double>(-refused.number));
  return error;
}

class RunWorker final : public Napi::AsyncWorker {
 public:
  explicit RunWorker(Napi::Env env) : AsyncWorker(env), deferred(Napi::Promise::Deferred::New(env)) {}

  void Execute() override {
    try {
      finished_ = run(jobs, threads, control, comparisons_);
    } catch (const FileError& error) {
      refused_ = error;
      SetError(error.what());
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }

  void OnOK() override {
    auto result = Napi::Object::New(Env());
    result["finished"] = Napi::Boolean::New(Env(), finished_);
    auto list = Napi::Array::New(Env(), comparisons_.size());
    for (uint32_t i = 0; i < comparisons_.size(); ++i) {
      const Comparison& c = comparisons_[i];
      auto row = Napi::Object::New(Env());
      row["maxError"] = Napi::Number::New(Env(), c.max_error);
      row["errorEnergy"] = Napi::Number::New(Env(), c.error_energy);
      row["expectedEnergy"] = Napi::Number::New(Env(), c.expected_energy);
      row["differing"] = Napi::Number::New(Env(), c.differing);
      row["nonFinite"] = Napi::Number::New(Env(), c.non_finite);
      list[i] = row;
    }
    result["comparisons"] = list;
    deferred.Resolve(result);
  }

  void OnError(const Napi::Error& error) override {
    deferred.Reject(refused_ ? system_error(Env(), *refused_).Value() : error.Value());
  }

  Napi::Promise::Deferred deferred;
  Napi::ObjectReference shared;  // keeps the memory behind `control` alive
  std::vector<File> files;
  std::vector<Job> jobs;
  unsigned threads = 1;
  Control control{};

 private:
  bool finished_ = false;
  std::optional<FileError> refused_;
  std::vector<Comparison> comparisons_;
};

// execute(files: {fd, path}[], jobs: Job[], threads: number, control: BigInt64Array) => Promise<{finished,
// comparisons}>
Napi::Value execute(const Napi::CallbackInfo& info) {
  auto worker = std::make_unique<RunWorker>(info.Env());
  const auto files = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < files.Length(); ++i) {
    const auto file = files.Get(i).As<Napi::Object>();
    worker->files.push_back({integer(file.Get("fd")), file.Get("path").As<Napi::String>()});
  }
  const auto jobs = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < jobs.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    worker->jobs.push_back(job(jobs.Get(i).As<Napi::Object>(), worker->files));
  }
  worker->threads = info[2].As<Napi::Number>().Uint32Value();
  auto control = info[3].As<Napi::BigInt64Array>();
  worker->shared = Napi::Persistent(control.As<Napi::Object>());
  worker->control = {control.Data(), control.Data() + 1};
  const auto promise = worker->deferred.Promise();
  worker.release()->Queue();  // deletes itself when it is done
  return promise;
}

// allocate(fd: number, path: string, bytes: number)
void allocate_file(const Napi::CallbackInfo& info) {
  try {
    allocate({integer(info[0]), info[1].As<Napi::String>()}, u64(info[2]));
  } catch (const FileError& error) {
    throw system_error(info.Env(), error);
  }
}

// exchange(a: string, b: string) => boolean
Napi::Value exchange(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), exchange_paths(info[0].As<Napi::String>(), info[1].As<Napi::String>()));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["execute"] = Napi::Function::New<execute>(env, "execute");
  exports["allocate"] = Napi::Function::New<allocate_file>(env, "allocate");
  exports["exchange"] = Napi::Function::New<exchange>(env, "exchange");
  exports["instructionSet"] = Napi::String::New(env, best_kernels().name);
  export_arrays(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(convert, init)
