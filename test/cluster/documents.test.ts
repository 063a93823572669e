import assert from "node:assert/strict";
import { execa } from "execa";
import { cp, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { blocksOf, ROOT } from "../support/pages.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";
import { IMAGE } from "./support/kustomization.ts";
import { kubectl } from "./support/kubectl.ts";

const NAMESPACE = `dormouse-pages-${process.pid}`;
/** As the README's first commands leave it to those that follow. */
const HAS_PROGRAM = "export PATH=$PWD/dist:$PATH\n";

describe("the commands of the documents, as they stand there", () => {
  let clone: Removed;
  before(async () => {
    clone = await temporaryFolder();
    await cp(join(ROOT, "manifests"), join(clone.path, "manifests"), { recursive: true });
    for (const name of ["package.json", "node_modules", "scripts", "shared", "dist"])
      await symlink(join(ROOT, name), join(clone.path, name));
  });
  after(async () => {
    await kubectl(`delete namespace ${NAMESPACE} --ignore-not-found --wait=false`);
    await kubectl(`delete clusterrolebinding ${NAMESPACE}-dormouse-asks-who-calls --ignore-not-found`);
    await clone?.[Symbol.asyncDispose]();
  });

  const shell = async (script: string) => {
    const { stdout } = await execa("bash", ["-euo", "pipefail", "-c", inNamespace(script)], {
      cwd: clone.path,
      env: { IMAGE },
      timeout: 600_000,
    });
    return stdout;
  };

  it("install Dormouse, find nothing at fault, and take a backup at once", async () => {
    const [installing = "", asking = ""] = await commandsOf("README.md", "Install it on Knative");
    // The image is there already, under another name.
    const lines = installing.split("\n").filter((line) => !/^IMAGE=|npm run image/.test(line));
    assert.equal(lines.length, installing.split("\n").length - 2);

    const said = await shell(lines.join("\n"));
    await sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    const taken = await shell(HAS_PROGRAM + asking);

    assert.match(said, /^ok +cluster readiness: services\.serving\.knative\.dev dormouse-restore is ready$/m);
    assert.doesNotMatch(said, /FAULT/);
    assert.match(taken, /1,000 rows in 1 table, proved/);
  });

  it("bring it back on the day it burns, and take that back", async () => {
    const page = "docs/on-the-day-it-burns.md";
    const [restoring = "", undoing = ""] = await commandsOf(page, "On the day it burns");
    const [rehearsing = ""] = await commandsOf(page, "Before that day");
    await sql("DROP TABLE item");

    const restored = await shell(HAS_PROGRAM + ofDatabase(restoring));

    assert.match(restored, /Restored: the application runs on the data of the backup/);
    assert.equal(await sql("SELECT count(*) FROM item"), "1000");
    assert.match(await shell(HAS_PROGRAM + ofDatabase(undoing)), /Taken back/);
    assert.equal(await sql("SELECT to_regclass('item') IS NULL"), "t");
    assert.match(await shell(HAS_PROGRAM + ofDatabase(rehearsing)), /Rehearsed/);
  });

  it("remove Dormouse and leave the claim, with the backups for whatever is installed there next", async () => {
    const page = "docs/tasks.md";
    const [removing = ""] = await commandsOf(page, "Uninstall without losing a backup");
    const [applying = ""] = await commandsOf(page, "Upgrade Dormouse, and go back");
    const listing = `${HAS_PROGRAM}kubectl dormouse -n hets list --json`;
    const claim = () => kubectl(`-n ${NAMESPACE} get pvc dormouse-backups -o`, ["jsonpath={.metadata.uid}"]);
    const [before, uid] = [namesIn(await shell(listing)), await claim()];
    const source = "services.serving.knative.dev,pingsources,sinkbindings";

    const said = await shell(removing);
    const left = await kubectl(`-n ${NAMESPACE} get ${source} -o name`);
    const stayed = await claim();
    await shell(HAS_PROGRAM + applying);

    assert.match(said, /^dormouse-backups +Bound /m);
    assert.equal(left, "");
    assert.equal(stayed, uid);
    assert.ok(before.length > 0);
    assert.deepEqual(namesIn(await shell(listing)), before);
  });
});

function namesIn(listed: string): readonly string[] {
  const { backups } = JSON.parse(listed) as { readonly backups: readonly { readonly name: string }[] };
  return backups.map(({ name }) => name);
}

/** The namespace has another name here, and the database has not. */
function ofDatabase(script: string): string {
  return script.replaceAll("--yes hets", "--yes he''ts");
}

/** The shell blocks below a heading of a page. */
async function commandsOf(page: string, heading: string): Promise<readonly string[]> {
  const blocks = (await blocksOf(page)).filter((each) => each.language === "sh" && each.heading === heading);
  assert.ok(blocks.length > 0, `${page} has no commands below "${heading}"`);
  return blocks.map(({ text }) => text);
}

function inNamespace(script: string): string {
  return script.replaceAll(/\bhets\b/g, NAMESPACE);
}

function sql(statement: string): Promise<string> {
  const psql = ["psql", "-h", "/var/run/postgresql", "-U", "hets", "-XAtqc", statement, "hets"];
  return kubectl(`-n ${NAMESPACE} exec postgresql-0 --`, psql);
}
