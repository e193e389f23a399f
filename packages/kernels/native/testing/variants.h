// The variants that this processor runs, best first.
#pragma once
#include <sstream>
#include <string>
#include <vector>

#include "../kernels.h"

inline std::vector<std::string> variants() {
  std::vector<std::string> names;
  std::stringstream all(rk_variants());
  for (std::string name; std::getline(all, name, ',');) names.push_back(name);
  return names;
}
