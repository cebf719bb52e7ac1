#include <halfstep/backend/grid/host_block.hpp>

#include <array>
#include <set>

#include "numbers.hpp"

namespace hs = halfstep;
using hs::float16;
namespace grid = hs::backend::grid;
using Tile = grid::WarpTile<float16>;

namespace {

using Matrix = std::array<std::array<float, 16>, 16>;

Matrix small_integers(int seed) {
  Matrix matrix;
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j)
      matrix[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] =
          static_cast<float>((i * 7 + j * 3 + seed * 5 + i * j) % 13 - 6);
  return matrix;
}
float at(const Matrix& matrix, int i, int j) {
  return matrix[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
}
/// (a b^T)[i][j]
float product(const Matrix& a, const Matrix& b, int i, int j) {
  float sum = 0;
  for (int k = 0; k < 16; ++k) sum += at(a, i, k) * at(b, j, k);
  return sum;
}

TEST(WarpTile, HoldsEveryElementOnce) {
  std::set<std::pair<int, int>> found;
  for (int lane = 0; lane < 32; ++lane)
    for (int e = 0; e < Tile::per_lane; ++e)
      found.emplace(Tile::row(lane, e), Tile::column(lane, e));
  EXPECT_EQ(found.size(), 256u);
  EXPECT_EQ(found.rbegin()->first, 15);
  for (int lane = 0; lane < 32; ++lane)
    for (int row = 0; row < 2; ++row)
      for (int n = 0; n < Tile::per_row; ++n)
        EXPECT_EQ(Tile::row(lane, Tile::element(row, n)), Tile::row(lane, 0) + 8 * row);
}

// What PTX says of its instructions, for the lanes of a warp one by one.
namespace ptx {

using Register = std::array<float, 2>;
using Registers = std::array<std::array<Register, 4>, 32>;
using Sums = std::array<std::array<float, 4>, 32>;

/// Four 8 x 8 matrices; lane 8 i + r has the address of row r of matrix i.
template <class RowOf>
Registers ldmatrix(const RowOf& address, bool transposed) {
  Registers to;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i)
      for (int half = 0; half < 2; ++half) {
        const int row = transposed ? lane % 4 * 2 + half : lane / 4;
        const int column = transposed ? lane / 4 : lane % 4 * 2 + half;
        to[static_cast<std::size_t>(lane)][static_cast<std::size_t>(i)]
          [static_cast<std::size_t>(half)] = address(8 * i + row)[column];
      }
  return to;
}
/// c, 16 x 8, += a b; b's two registers are b_first and b_last of each lane's.
void mma_m16n8k16(Sums& c, const Registers& a, const Registers& b, int b_first, int b_last) {
  float left[16][16], right[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane >> 2, in_group = lane % 4;
    const auto& of_a = a[static_cast<std::size_t>(lane)];
    const auto& of_b = b[static_cast<std::size_t>(lane)];
    for (int i = 0; i < 8; ++i) {
      const int row = (i >= 0 && i < 2) || (i >= 4 && i < 6) ? group : group + 8;
      const int column = i < 4 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8;
      left[row][column] = of_a[static_cast<std::size_t>(i / 2)][static_cast<std::size_t>(i % 2)];
    }
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8;
      right[row][group] =
          of_b[static_cast<std::size_t>(i < 2 ? b_first : b_last)][static_cast<std::size_t>(i % 2)];
    }
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane >> 2 : (lane >> 2) + 8, column = lane % 4 * 2 + (i & 1);
      for (int k = 0; k < 16; ++k)
        c[static_cast<std::size_t>(lane)][static_cast<std::size_t>(i)] +=
            left[row][k] * right[k][column];
    }
}

}  // namespace ptx

TEST(WarpTile, IsLoadedAndMultipliedAsPtxDoes) {
  const Matrix a = small_integers(1), b = small_integers(2);
  for (const bool transposed : {false, true}) {
    const auto left = ptx::ldmatrix(
        [&](int lane) {
          return a[static_cast<std::size_t>(Tile::named_row(lane))].data() +
                 Tile::named_column(lane);
        },
        false);
    const auto loaded = ptx::ldmatrix(
        [&](int lane) {
          const int row = transposed ? Tile::named_row(lane) : Tile::named_right_row(lane);
          const int column = transposed ? Tile::named_column(lane) : Tile::named_right_column(lane);
          return b[static_cast<std::size_t>(row)].data() + column;
        },
        transposed);
    ptx::Registers right;
    for (std::size_t lane = 0; lane < 32; ++lane)
      for (int n = 0; n < 4; ++n)
        right[lane][static_cast<std::size_t>(Tile::right_register(n))] =
            loaded[lane][static_cast<std::size_t>(n)];
    std::array<ptx::Sums, 2> sums{};
    ptx::mma_m16n8k16(sums[0], left, right, 0, 2);
    ptx::mma_m16n8k16(sums[1], left, right, 1, 3);
    Matrix turned = b;
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t j = 0; j < 16; ++j) turned[i][j] = b[j][i];
    for (int lane = 0; lane < 32; ++lane)
      for (int e = 0; e < Tile::per_lane; ++e) {
        const int row = Tile::row(lane, e), column = Tile::column(lane, e);
        const auto in_register = static_cast<std::size_t>(e / 2);
        const auto half = static_cast<std::size_t>(e % 2), of_lane = static_cast<std::size_t>(lane);
        EXPECT_EQ(left[of_lane][in_register][half], at(a, row, column));
        EXPECT_EQ(right[of_lane][in_register][half], at(transposed ? turned : b, row, column));
        EXPECT_EQ(sums[static_cast<std::size_t>(e / 4)][of_lane][static_cast<std::size_t>(e % 4)],
                  product(a, transposed ? turned : b, row, column));
      }
  }
}

struct Multiplies {
  const float* a;  // [32, 16], 16 rows for each of two warps
  const float* b;  // [16, 16]
  bool transposed;
  float* c;  // as a

  template <class Block>
  void operator()(Block& block) const {
    constexpr int pitch = 24;
    float16* const left = block.template shared<float16, 32 * pitch, 0>();
    float16* const right = block.template shared<float16, 16 * pitch, 1>();
    block.each([&](int thread) {
      for (int at = thread; at < 32 * 16; at += 64)
        left[at / 16 * pitch + at % 16] = float16(a[at]);
      for (int at = thread; at < 16 * 16; at += 64)
        right[at / 16 * pitch + at % 16] = float16(b[at]);
    });
    typename Block::template PerThread<Tile> of_a, of_b, rounded;
    typename Block::template PerThread<grid::WarpTile<float>> sums;
    block.load_left(of_a, left, 16 * pitch, pitch);
    if (transposed)
      block.load_right_transposed(of_b, right, pitch);
    else
      block.load_right(of_b, right, pitch);
    block.own([&](int thread) {
      for (float& sum : sums[thread].of) sum = 0.5f;
    });
    block.multiply_add(sums, of_a, of_b);
    block.round(sums, rounded);
    block.own([&](int thread) {
      for (int e = 0; e < Tile::per_lane; ++e)
        c[(thread / 32 * 16 + Tile::row(thread, e)) * 16 + Tile::column(thread, e)] =
            hs::to_float(rounded[thread].of[e]);
    });
  }
};

TEST(HostBlock, MultipliesWhatItsWarpsHold) {
  const Matrix first = small_integers(3), second = small_integers(4), b = small_integers(5);
  std::vector<float> a, c(32 * 16);
  for (const Matrix& matrix : {first, second})
    for (const auto& row : matrix) a.insert(a.end(), row.begin(), row.end());
  for (const bool transposed : {false, true}) {
    Matrix turned = b;
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t j = 0; j < 16; ++j) turned[i][j] = transposed ? b[j][i] : b[i][j];
    grid::run_on_host({1, 64}, Multiplies{a.data(), b[0].data(), transposed, c.data()});
    for (int i = 0; i < 32; ++i)
      for (int j = 0; j < 16; ++j)
        EXPECT_EQ(c[static_cast<std::size_t>(i * 16 + j)],
                  product(i < 16 ? first : second, turned, i % 16, j) + 0.5f);
  }
}

struct CopiesLater {
  const float* from;
  float* seen;  // before and after the wait, by thread

  template <class Block>
  void operator()(Block& block) const {
    float* const memory = block.template shared<float, 32 * 4, 0>();
    block.own([&](int thread) {
      block.start_copy(memory + 4 * thread, from + 4 * thread, thread % 2 == 0);
    });
    block.own([&](int thread) { seen[thread] = memory[4 * thread + 3]; });
    block.await_copies();
    block.own([&](int thread) { seen[32 + thread] = memory[4 * thread + 3]; });
  }
};

TEST(HostBlock, HasCopiesWhenTheyWereAwaited) {
  std::vector<float> from(32 * 4), seen(64);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i + 1);
  grid::run_on_host({1, 32}, CopiesLater{from.data(), seen.data()});
  for (std::size_t thread = 0; thread < 32; ++thread) {
    EXPECT_TRUE(std::isnan(seen[thread]));
    EXPECT_EQ(seen[32 + thread], thread % 2 == 0 ? from[4 * thread + 3] : 0.0f);
  }
}

struct LoadsRowsOfTwelve {
  template <class Block>
  void operator()(Block& block) const {
    float16* const memory = block.template shared<float16, 16 * 12, 0>();
    typename Block::template PerThread<Tile> tile;
    block.load_right(tile, memory, 12);
  }
};

TEST(HostBlock, RefusesRowsThatBeginWhereNoMatrixIsLoaded) {
  EXPECT_THROW(grid::run_on_host({1, 32}, LoadsRowsOfTwelve{}), hs::UsageError);
}

}  // namespace
