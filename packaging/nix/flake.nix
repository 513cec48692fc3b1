# nix run "github:nodecard/nodecard?dir=packaging/nix" -- --help
{
  description = "Make, write, verify and correct the SD cards of a cluster of small boards";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "armv7l-linux"
        "aarch64-darwin"
      ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "nodecard";
          version = (pkgs.lib.importTOML ../../Cargo.toml).workspace.package.version;
          src = ../..;
          cargoLock.lockFile = ../../Cargo.lock;
          cargoBuildFlags = [ "--package=nodecard-cli" ];
          buildType = "dist";
          # The tests need e2fsprogs, mtools, OpenSSH and others, and change nothing in the program.
          doCheck = false;
          env.NODECARD_COMMIT = self.rev or "";
          nativeBuildInputs = [ pkgs.installShellFiles ];
          postInstall = pkgs.lib.optionalString (pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform) ''
            $out/bin/nodecard man man1
            installManPage man1/*.1
            for shell in bash zsh fish; do
              $out/bin/nodecard completions $shell > nodecard.$shell
            done
            installShellCompletion nodecard.{bash,zsh,fish}
            mkdir -p $out/share/nodecard
            cp -r profiles $out/share/nodecard
          '';
          meta = {
            description = "Make, write, verify and correct the SD cards of a cluster of small boards";
            homepage = "https://github.com/nodecard/nodecard";
            license = with pkgs.lib.licenses; [
              mit
              asl20
            ];
            mainProgram = "nodecard";
          };
        };
      });
    };
}
