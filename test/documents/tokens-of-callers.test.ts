import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { execa } from "execa";
import { cullEnvironment } from "../support/culled.ts";
import { startFunction } from "../support/function-process.ts";
import { lackOfKubectl, rendered, type Manifest } from "../support/manifests.ts";
import { blocksOf } from "../support/pages.ts";
import { temporaryFolder } from "../support/volume.ts";

/** Keeps what it is to create as kubectl makes it, and gets from that; it knows who is logged in. */
const OC = `#!/bin/bash
case "$*" in
  whoami) echo someone ;;
  "create secret generic "*) printf '%s\\0' "$@" >"$SECRETS/$4" ;;
  "get secret "*) FORMAT=$5 xargs -0 -a "$SECRETS/$3" sh -c 'kubectl "$@" --dry-run=client -o "$FORMAT"' sh ;;
  *) exit 64 ;;
esac`;

describe("the token of a caller without a cluster administrator", async () => {
  const skip = (await lackOfKubectl()) ?? false;

  it(
    "is shown by what docs/openshift.md says, out of the Secret that the functions read",
    { skip },
    async () => {
      const block = (await blocksOf("docs/openshift.md")).find(({ text }) =>
        text.includes("dormouse-callers"),
      );
      await using folder = await temporaryFolder();
      await writeFile(join(folder.path, "oc"), OC);
      await chmod(join(folder.path, "oc"), 0o755);
      const env = { PATH: `${folder.path}:${process.env["PATH"]}`, SECRETS: folder.path };

      const { stdout: shown } = await execa("bash", ["-euo", "pipefail", "-c", block?.text ?? "exit 1"], {
        env,
      });

      const [caller, token] = shown.split(":");
      assert.equal(caller, "someone");
      assert.match(token ?? "", /^[0-9a-f]{64}$/);
      const { name, key } = await mounted();
      const kept = await execa("oc", ["get", "secret", name, "-o", `jsonpath={.data.${key}}`], { env });
      const tokens = join(folder.path, "tokens");
      await writeFile(tokens, Buffer.from(kept.stdout, "base64"));
      await using cull = await startFunction("cull", {
        ...cullEnvironment(folder.path),
        AUTH: "token",
        AUTH_TOKEN_FILE: tokens,
      });
      const ask = async (headers: Record<string, string> = {}) =>
        (await cull.post({ dryRun: true }, headers)).status;
      assert.deepEqual([await ask(), await ask({ authorization: `Bearer ${token}` })], [401, 200]);
    },
  );
});

type Mounts = {
  readonly containers: readonly { readonly volumeMounts: readonly { name: string; mountPath: string }[] }[];
  readonly volumes: readonly {
    readonly name: string;
    readonly secret?: {
      readonly secretName: string;
      readonly items: readonly { readonly key: string; readonly path: string }[];
    };
  }[];
};

/** The Secret, and the key of it, behind AUTH_TOKEN_FILE of the cull function. */
async function mounted(): Promise<{ readonly name: string; readonly key: string }> {
  const manifests = await rendered({
    resources: ["../manifests/overlays/openshift"],
    components: ["../manifests/components/token"],
  });
  const [, path = ""] = /"AUTH_TOKEN_FILE":"([^"]+)"/.exec(JSON.stringify(manifests)) ?? [];
  const isCull = ({ kind, metadata }: Manifest) => kind === "Service" && metadata.name === "dormouse-cull";
  const { spec } = manifests.find(isCull) ?? assert.fail("no cull function");
  return secretAt(path, (spec as { template: { spec: Mounts } }).template.spec);
}

function secretAt(path: string, { containers, volumes }: Mounts) {
  const at = containers[0]?.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const { secret } = volumes.find(({ name }) => name === at?.name) ?? assert.fail(path);
  const item = secret?.items.find((each) => `${at?.mountPath}/${each.path}` === path);
  return { name: secret?.secretName ?? assert.fail(path), key: item?.key ?? assert.fail(path) };
}
