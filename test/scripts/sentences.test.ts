import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Node and nothing else. */
const BARE = { PATH: dirname(process.execPath), HOME: "/nonexistent", KUBECONFIG: "/nonexistent" };

describe("a script that this machine cannot run says so in one sentence:", () => {
  const cases: readonly (readonly [script: string, args: readonly string[], says: RegExp])[] = [
    ["scripts/image.ts", ["dormouse:test"], /^no docker, podman or buildah .*: install one/],
  ];
  for (const [script, args, says] of cases) {
    it(script, async () => {
      const options = { cwd: ROOT, env: BARE, extendEnv: false, reject: false } as const;
      const { exitCode, stderr, stdout } = await execa(process.execPath, [script, ...args], options);

      assert.equal(exitCode, 1);
      assert.equal(stdout, "");
      assert.match(stderr, says);
      assert.equal(stderr.split("\n").length, 1);
    });
  }
});

describe("the Node of the image", () => {
  it("is pinned by hash, in the version that the tests run on", async () => {
    const read = async (path: string) => JSON.parse(await readFile(`${ROOT}${path}`, "utf8")) as unknown;
    const { version } = (await read("node_modules/node/package.json")) as { version: string };
    const pinned = (await read("scripts/image/node-hashes.json")) as Record<string, Record<string, string>>;

    assert.deepEqual(Object.keys(pinned), [version]);
    for (const hash of Object.values(pinned[version] ?? {})) assert.match(hash, /^sha512-.{88}$/);
  });
});
