import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { RestorePlan } from "../../functions/restore/plan/restore-plan.ts";
import type { RestoreResult } from "../../functions/restore/journal/restore-result.ts";
import { lackOfProgram } from "../support/debian.ts";
import type { FunctionProcess } from "../support/function-process.ts";
import { lackOfKubectl } from "../support/manifests.ts";
import { blocksOf, pages, type Block } from "../support/pages.ts";
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
if [ "$1" != whoami ]; then
  said=$("$kubectl" --server=http://127.0.0.1:1 --kubeconfig=/dev/null "$@" 2>&1 >/dev/null </dev/null || true)
  grep -q "127.0.0.1:1.* refused" <<<"$said" || { echo "$said" >&2; exit 1; }
fi
echo c3RhbmQtaW4=
`;
const DOCKER = `#!/bin/bash
case "$1" in login) cat >/dev/null ;; push) ;; *) exit 1 ;; esac
`;
/** What any function could have answered. */
const CURL = `#!/bin/bash
case "$*" in *retry*) exit ;; esac
echo '{"databases":[],"backups":[{"name":"a"}],"name":"a","blockers":[],"warnings":[],"compared":{},"downtimeMs":0}'
`;
const TASKS = "docs/tasks.md";
const STAND_INS = { kubectl: KUBECTL, oc: KUBECTL, docker: DOCKER, npm: "#!/bin/bash\n" };

describe("what a page says to need a cluster, pasted where kubectl finds none", async () => {
  const lacks = [
    await lackOfKubectl(),
    await lackOfProgram("jq", "/usr/bin/jq"),
    await lackOfProgram("curl", "/usr/bin/curl"),
  ];
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
        await using shell = await machine.shell({ ...STAND_INS, ...(page === TASKS ? { curl: CURL } : {}) });
        for (const block of blocks) await shell.paste(block);
      },
    );
  }

  it(`shows, restores and takes back by a restore function of this machine: ${BURNS}`, { skip }, async () => {
    await using shell = await machine.shell(STAND_INS);
    const answers = new Map<string, string>();
    let restore: { readonly namespace: string; readonly running: FunctionProcess } | undefined;
    const beThere = async (namespace: string) => {
      if (restore?.namespace === namespace) return;
      await restore?.running.end("SIGKILL");
      const changes = { PORT: `${machine.ports.get("8080")}`, POD_NAMESPACE: namespace };
      restore = { namespace, running: await stage.start(changes) };
    };
    await stage.destroyData();
    const destroyed = await stage.fingerprint();
    let restored: unknown;

    for (const block of await clusterBlocksOf(BURNS)) {
      const { heading } = block;
      await beThere(heading === "Everything is gone but the bucket" ? "another" : "hets");
      answers.set(heading, await shell.paste(block));
      if (heading === "3. Restore") restored = await stage.fingerprint();
    }

    const said = (heading: string) => answers.get(heading) ?? assert.fail(heading);
    assert.match(said("1. Which backup?"), new RegExp(`^${stage.backup.name}\t`));
    assert.deepEqual((JSON.parse(said("2. What will happen?")) as RestorePlan).blockers, []);
    assert.deepEqual(restored, stage.original);
    assert.equal(resultIn(said("Everything is gone but the bucket")).strategy, "swap");
    assert.equal((JSON.parse(said("4. Wrong backup, or wrong idea?")) as RestoreResult).strategy, "undo");
    assert.notDeepEqual(await stage.fingerprint(), destroyed);
    assert.equal((JSON.parse(said("Before that day")) as RestoreResult).strategy, "rehearse");
  });
});

/** The last line of a stream. */
function resultIn(stream: string): RestoreResult {
  const last = stream.trimEnd().split("\n").at(-1) ?? "";
  return (JSON.parse(last) as { readonly result: RestoreResult }).result;
}

async function clusterBlocksOf(page: string): Promise<readonly Block[]> {
  return (await blocksOf(page)).filter(({ language, needs }) => language === "sh" && needs === "cluster");
}
