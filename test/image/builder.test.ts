import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findBuilder } from "../../scripts/image/builder.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";

describe("the builder of the image", () => {
  let programs: Removed;
  const path = process.env["PATH"];
  before(async () => {
    programs = await temporaryFolder();
  });
  after(async () => {
    process.env["PATH"] = path;
    await programs[Symbol.asyncDispose]();
  });

  /** Programs of these names alone are found; each notes how it was called, and `info` ends as it is told. */
  async function withPrograms(exits: Readonly<Record<string, number>>): Promise<() => Promise<string>> {
    const folder = join(programs.path, Object.entries(exits).flat().join("-") || "none");
    await mkdir(folder);
    const calls = join(folder, "calls");
    for (const [name, code] of Object.entries(exits)) {
      const script = `#!/bin/sh\n[ "$1" = info ] && exit ${code}\necho "${name} $*" >>${calls}\n`;
      await writeFile(join(folder, name), script, { mode: 0o755 });
    }
    process.env["PATH"] = [folder, "/nowhere"].join(delimiter);
    return () => readFile(calls, "utf8");
  }

  const cases = [
    ["docker where there are all", { docker: 0, podman: 0, buildah: 0 }, "docker"],
    ["podman where docker has no daemon", { docker: 1, podman: 0, buildah: 0 }, "podman"],
    ["podman where there is no docker", { podman: 0, buildah: 0 }, "podman"],
    ["buildah where there is nothing else", { buildah: 0 }, "buildah"],
  ] as const;
  for (const [what, exits, program] of cases) {
    it(`is ${what}`, async () => {
      await withPrograms(exits);

      assert.equal((await findBuilder()).program, program);
    });
  }

  it("is missed where there is none, and said to be", async () => {
    await withPrograms({});

    await assert.rejects(findBuilder(), /no docker, podman or buildah .*: install one/);
  });

  const asked = {
    docker: "docker build --tag a:1 --build-arg B=2 .\ndocker save --output a.tar a:1\n",
    podman: "podman build --tag a:1 --build-arg B=2 .\npodman save --output a.tar a:1\n",
    buildah:
      "buildah build --layers --tag a:1 --build-arg B=2 .\nbuildah push --quiet a:1 docker-archive:a.tar:a:1\n",
  };
  for (const [program, lines] of Object.entries(asked)) {
    it(`calls ${program} by its own words`, async () => {
      const calls = await withPrograms({ [program]: 0, x: 0 });
      const builder = await findBuilder();

      await builder.build("a:1", ".", ["--build-arg", "B=2"]);
      await builder.save("a:1", "a.tar");

      assert.equal(await calls(), lines);
    });
  }
});
