# For a tap: brew install nodecard/tap/nodecard
class Nodecard < Formula
  desc "Make, write, verify and correct the SD cards of a cluster of small boards"
  homepage "https://github.com/nodecard/nodecard"
  url "https://github.com/nodecard/nodecard/archive/refs/tags/v0.1.0.tar.gz"
  # The checksum of the source archive, when the tag exists.
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]
  head "https://github.com/nodecard/nodecard.git", branch: "main"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args(path: "crates/nodecard-cli")
    system bin/"nodecard", "man", man1
    generate_completions_from_executable(bin/"nodecard", "completions")
    pkgshare.install "profiles"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/nodecard -V")
    cp_r pkgshare/"profiles", testpath
    system bin/"nodecard", "build", "profiles/demo.yaml", "--out", "cards"
    assert_path_exists testpath/"cards/xu4-master.img"
  end
end
