import assert from "node:assert/strict";
import { execa } from "execa";
import { glob, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { describe, it } from "node:test";
import { imageEnvironment, instructions } from "../support/dockerfile.ts";
import {
  installable,
  containersOf,
  lackOfKubectl,
  render,
  type Container,
  type Manifest,
} from "../support/manifests.ts";

type Mounted = Container & {
  readonly ports?: readonly { readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
};

describe("the image", async () => {
  it("has the environment of docs/configuration.md", async () => {
    const [, table = ""] = (await readFile("docs/configuration.md", "utf8")).split("## What the image sets");
    const rows = Array.from(table.matchAll(/^\| `(\w+)` +\| `([^`]+)` +\|/gm), ([, name, value]) => [
      name,
      value,
    ]);

    assert.deepEqual(Object.fromEntries(rows), await imageEnvironment());
  });

  it("limits Node's young generation, by an option that this Node takes", async () => {
    const { NODE_OPTIONS = "" } = await imageEnvironment();

    // Node ends with 9 for an option that it does not know. What the limit saves is measured by the bench.
    await execa(process.execPath, ["-e", ""], { env: { NODE_OPTIONS }, extendEnv: false });

    assert.match(NODE_OPTIONS, /^--max-semi-space-size=[1-4]$/);
  });

  it("has the client tools of every supported major, unless it is configured otherwise", async () => {
    const majors = (await instructions("ARG")).find((argument) => argument.startsWith("PG_MAJORS="));

    assert.equal(majors, 'PG_MAJORS="13 14 15 16 17 18"');
    assert.ok((await instructions("ARG")).includes("PG_SOURCE=pgdg"));
  });

  it("holds the relay, as the program starts it in a pod of this image", async () => {
    const copied = await instructions("COPY");
    const [relay] = await filesOf("scripts/build.ts", /"(dist\/relay\/index\.mjs)"/);
    const [started] = await filesOf("cli/access/relay-pod.ts", /args: \["([^"]+)"/);

    assert.ok(copied.includes("dist/ /app/"), copied.join());
    assert.deepEqual(await instructions("WORKDIR"), ["/app"]);
    assert.equal(relay, `dist/${started}`);
  });

  it("runs as any user but root, with Node itself as the first process", async () => {
    assert.deepEqual(await instructions("USER"), ["65532:0"]);
    assert.deepEqual(await instructions("ENTRYPOINT"), ['["/usr/local/bin/node"]']);
  });
});

describe("the image and the manifests agree:", async () => {
  const skip = (await lackOfKubectl()) ?? false;
  const environment = await imageEnvironment();
  const functions = (await Array.fromAsync(glob("functions/*/index.ts"))).map((path) =>
    basename(dirname(path)),
  );

  for (const folder of await installable()) {
    it(`in ${folder}`, { skip }, async () => {
      const manifests = await render(folder);
      const [exposed] = await instructions("EXPOSE");

      for (const container of manifests.flatMap(containersOf) as readonly Mounted[]) {
        const { name, args = [], ports = [], volumeMounts = [], env = [] } = container;
        const [program = ""] = args;
        assert.ok(
          program.startsWith("/chat/") || functions.includes(dirname(program)),
          `${name}: ${program}`,
        );
        for (const { containerPort } of ports) assert.equal(`${containerPort}`, exposed, name);
        const overridden = [...env.map((each) => each.name), ...settingsOf(manifests)];
        assert.deepEqual(
          overridden.filter((each) => each in environment),
          [],
          name,
        );
        if (!program.startsWith("/chat/"))
          assert.ok(
            volumeMounts.some(({ mountPath }) => mountPath === environment["HOME"]),
            name,
          );
      }
    });
  }
});

async function filesOf(path: string, pattern: RegExp): Promise<readonly string[]> {
  return pattern.exec(await readFile(path, "utf8"))?.slice(1) ?? [];
}

function settingsOf(manifests: readonly Manifest[]): readonly string[] {
  return manifests
    .filter(({ kind }) => kind === "ConfigMap")
    .flatMap(({ data }) => Object.keys(data as object));
}
