import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { lackOfProgram } from "../support/debian.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { lackOfKubectl } from "../support/manifests.ts";
import { blocksOf, pages, ROOT, type Block } from "../support/pages.ts";
import { aMachine, type Machine } from "../support/pasted-shell.ts";
import { setRestoreStage, type RestoreStage } from "../support/restore-stage.ts";

const BURNS = "docs/on-the-day-it-burns.md";
/**
 * kubectl and oc without a cluster. The folder of a `-k` must build, and kubectl itself must understand the command so well
 * that only the server is missing. What this prints does for a name, for a token, and for base64.
 */
const KUBECTL = `#!/bin/bash
set -eu
kubectl=$(type -ap kubectl | sed -n 2p)
previous=
for argument; do
  [ "$argument" != -- ] || break
  [ "$previous" != -k ] || "$kubectl" kustomize "$argument" >/dev/null
  previous=$argument
done
[ "$1" != run ] || cat >/dev/null
if [ "$1" = dormouse ]; then
  shift 3
  code=0
  PROGRAM || code=$?
  # In front of nothing, it must understand the command so well that only the functions are missing.
  [ "$code" != 2 ] || exit 2
  exit
fi
if [ "$1" != whoami ]; then
  said=$("$kubectl" --server=http://127.0.0.1:1 --kubeconfig=/dev/null "$@" 2>&1 >/dev/null </dev/null || true)
  grep -q "127.0.0.1:1.* refused" <<<"$said" || { echo "$said" >&2; exit 1; }
fi
echo c3RhbmQtaW4=
`;
const DOCKER = `#!/bin/bash
case "$1" in login) cat >/dev/null ;; push) ;; *) exit 1 ;; esac
`;
const NOWHERE = ["backup", "cull", "restore"].map((name) => `${name}=http://127.0.0.1:1`).join();
/** The program in the place of its plugin, in front of these functions. */
const standIns = (url: string, database = "hets") => {
  const program = `${process.execPath} ${join(ROOT, "cli/index.ts")} "\${@//hets/${database}}" --url ${url}`;
  const kubectl = KUBECTL.replace("PROGRAM", program);
  return { kubectl, oc: kubectl, docker: DOCKER, npm: "#!/bin/bash\n" };
};

describe("what a page says to need a cluster, pasted where kubectl finds none", async () => {
  const lacks = [await lackOfKubectl(), await lackOfProgram("jq", "/usr/bin/jq")];
  const skip = lacks.find((lack) => lack !== undefined) ?? false;
  let stage: RestoreStage;
  let machine: Machine;
  before(async () => {
    if (skip !== false) return;
    stage = await setRestoreStage();
    machine = await aMachine(stage.server);
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  // The README's comes first, and writes the kustomization that others take.
  for (const page of (await pages()).filter((each) => each !== BURNS)) {
    const blocks = await clusterBlocksOf(page);
    if (blocks.length === 0) continue;
    it(
      `has its variables, files and folders, and commands that kubectl knows: ${page}`,
      { skip },
      async () => {
        await using shell = await machine.shell(standIns(NOWHERE));
        for (const block of blocks) await shell.paste(block);
      },
    );
  }

  it(`shows, restores and takes back by a restore function of this machine: ${BURNS}`, { skip }, async () => {
    const port = machine.ports.get("8080");
    const functions = standIns(`restore=http://127.0.0.1:${port}`, stage.database);
    await using shell = await machine.shell(functions);
    let restore: { readonly namespace: string; readonly running: FunctionProcess } | undefined;
    const beThere = async (namespace: string) => {
      if (restore?.namespace === namespace) return;
      await restore?.running.end("SIGKILL");
      restore = { namespace, running: await stage.start({ PORT: `${port}`, POD_NAMESPACE: namespace }) };
    };
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    const [restoring, undoing, fromBucket, rehearsing, ...others] = await clusterBlocksOf(BURNS);
    const paste = async (block: Block | undefined, namespace = "hets") => {
      await beThere(namespace);
      return shell.paste(block ?? assert.fail());
    };

    const restored = await paste(restoring);
    assert.match(restored, /all is well.*\n(?:.*\n)*BACKUP .*\n(?:.*\n)*.*downtime .*\n(?:.*\n)*Restored: /);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.match(await paste(undoing), /Taken back/);
    assert.deepEqual(await stage.fingerprint(), destroyed);
    assert.match(await paste(fromBucket, "another"), /Restored: /);
    assert.deepEqual(await stage.fingerprint(), stage.original);
    assert.match(await paste(rehearsing), /Rehearsed: /);
    assert.deepEqual(others, []);
  });

  it("fits on one screen", async () => {
    const lines = (await readFile(join(ROOT, BURNS), "utf8")).split("\n");

    assert.ok(lines.length <= 50, `${lines.length} lines`);
  });
});

async function clusterBlocksOf(page: string): Promise<readonly Block[]> {
  return (await blocksOf(page)).filter(({ language, needs }) => language === "sh" && needs === "cluster");
}
