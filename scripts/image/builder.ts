import { execa } from "execa";

/** What builds images and writes them to an archive that docker can load. */
export type Builder = {
  readonly program: "docker" | "podman" | "buildah";
  build(image: string, context: string, options: readonly string[]): Promise<void>;
  save(image: string, archive: string): Promise<void>;
};

const PROGRAMS = ["docker", "podman", "buildah"] as const;

/** The first that can build here: docker without its daemon cannot. */
export async function findBuilder(): Promise<Builder> {
  for (const program of PROGRAMS) {
    const { failed } = await execa(program, ["info"], { reject: false });
    if (!failed) return builderOf(program);
  }
  throw new Error("no docker, podman or buildah that can build was found: install one, or start its daemon");
}

function builderOf(program: Builder["program"]): Builder {
  const run = async (args: readonly string[]) => {
    await execa(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  };
  return {
    program,
    // Without this, buildah begins from the first line each time.
    build: (image, context, options) =>
      run(["build", ...(program === "buildah" ? ["--layers"] : []), "--tag", image, ...options, context]),
    save: (image, archive) =>
      program === "buildah"
        ? run(["push", "--quiet", image, `docker-archive:${archive}:${image}`])
        : run(["save", "--output", archive, image]),
  };
}
