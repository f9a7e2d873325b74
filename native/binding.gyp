# Built by native/build.js. The kernels are compiled once for each instruction set, all into one addon that chooses at run time.
{
  "target_defaults": {
    "cflags!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
    # No contraction and no fast-math: every instruction set must give the same bits.
    "cflags_cc": ["-std=c++20", "-O3", "-Wall", "-Wextra", "-Werror", "-fexceptions", "-fvisibility=hidden", "-ffp-contract=off"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "13.5",
      "WARNING_CFLAGS": ["-Wall", "-Wextra", "-Werror", "-ffp-contract=off"],
    },
  },
  "targets": [
    {
      "target_name": "convert",
      "sources": [
        "convert/addon.cpp",
        "convert/arrays.cpp",
        "convert/executor.cpp",
        "convert/expression.cpp",
        "convert/files.cpp",
        "convert/source.cpp",
        "kernels/kernels.cpp",
        "kernels/portable.cpp",
        "kernels/reference.cpp",
      ],
      "conditions": [
        ["target_arch == 'x64'", {"dependencies": ["avx2", "avx512"]}],
        ["target_arch == 'arm64'", {"sources": ["kernels/vector/neon.cpp"]}],
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_CPP_EXCEPTIONS", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NAPI_VERSION=8"],
    },
  ],
  "conditions": [
    ["target_arch == 'x64'", {
      "targets": [
        {
          "target_name": "avx2",
          "type": "static_library",
          "sources": ["kernels/vector/avx2.cpp"],
          "cflags_cc": ["-mavx2", "-mfma", "-mf16c"],
          "xcode_settings": {"OTHER_CFLAGS": ["-mavx2", "-mfma", "-mf16c"]},
        },
        {
          "target_name": "avx512",
          "type": "static_library",
          "sources": ["kernels/vector/avx512.cpp"],
          "cflags_cc": ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"],
          "xcode_settings": {
            "OTHER_CFLAGS": ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"],
          },
        },
      ],
    }],
  ],
}
