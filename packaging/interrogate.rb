# Formula for a Homebrew tap. packaging/release.py fills in the names between @ signs.
class Interrogate < Formula
  desc "What does this image look like, in words? Ranked labels and prompts"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@URL@/interrogate-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256_AARCH64_APPLE_DARWIN@"
    end
    on_intel do
      url "@URL@/interrogate-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256_X86_64_APPLE_DARWIN@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/interrogate-@VERSION@-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256_AARCH64_UNKNOWN_LINUX_GNU@"
    end
    on_intel do
      url "@URL@/interrogate-@VERSION@-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256_X86_64_UNKNOWN_LINUX_GNU@"
    end
  end

  def install
    ["interrogate", "build-index"].each do |program|
      bin.install program
      bash_completion.install "completions/#{program}.bash" => program
      zsh_completion.install "completions/_#{program}"
      fish_completion.install "completions/#{program}.fish"
    end
    man1.install Dir["man/*.1"]
    pkgshare.install "dicts", "starter", "THIRD-PARTY.txt"
  end

  test do
    assert_match "features: starter", shell_output("#{bin}/interrogate --version")
    (testpath/"dicts/mediums.txt").write "a photo\na painting\n"
    system bin/"build-index", "dicts", "-o", "indexes"
    assert_match "2 labels", shell_output("#{bin}/interrogate doctor --dicts dicts")
  end
end
