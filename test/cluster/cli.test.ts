import assert from "node:assert/strict";
import { execa } from "execa";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { firstMatch } from "./support/first-match.ts";
import { kubectl } from "./support/kubectl.ts";
import { asleep, install, type Installation } from "./support/namespace.ts";

const RELAYS = "app.kubernetes.io/component=dormouse-relay";

/** By an account that has the Role `dormouse-cli` and nothing else; the functions are asked as `dormouse-operator`. */
describe("kubectl dormouse", () => {
  let dormouse: Installation;
  let folder: string;
  before(async () => {
    dormouse = await install("cli");
    const { namespace, kubectl: run } = dormouse;
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
    for (const person of ["person", "stranger"]) await run(`create serviceaccount ${person}`);
    await run(`create rolebinding person --role=dormouse-cli --serviceaccount=${namespace}:person`);
    folder = await mkdtemp(join(tmpdir(), "dormouse-cli-"));
    for (const person of ["person", "stranger"]) await writeKubeconfig(person);
  });
  after(async () => {
    await dormouse?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function writeKubeconfig(person: string): Promise<void> {
    const config = JSON.parse(await kubectl("config view --raw --minify -o json")) as {
      users: readonly { readonly name: string }[];
    };
    const token = await dormouse.kubectl(`create token ${person}`);
    const users = config.users.map(({ name }) => ({ name, user: { token } }));
    await writeFile(join(folder, person), JSON.stringify({ ...config, users }), { mode: 0o600 });
  }

  const ask = (person: string, ...args: string[]) =>
    execa(
      "dist/kubectl-dormouse",
      [...args, "-n", dormouse.namespace, "--kubeconfig", join(folder, person)],
      {
        reject: false,
        stdin: "ignore",
      },
    );
  const good = async (...args: string[]) => {
    const ended = await ask("person", ...args);
    assert.equal(ended.exitCode, 0, `${ended.stdout}\n${ended.stderr}`);
    return ended;
  };
  const relays = async () => (await dormouse.pods(RELAYS)).length;

  it("takes a backup from zero pods, by a relay that is gone afterwards", async () => {
    for (const name of ["dormouse-backup", "dormouse-cull", "dormouse-restore"]) await asleep(dormouse, name);

    const { stdout, stderr } = await good("backup", "--label", "by hand");

    assert.match(stdout, /1,000 rows in 1 table, proved/);
    assert.match(stderr, /waking the function backup/);
    assert.doesNotMatch(`${stdout}${stderr}`, /eyJ/, "a token was shown");
    assert.equal(await relays(), 0);
  });

  it("shows the status, restores, and undoes that", async () => {
    const status = await good("status");
    await dormouse.sql("DROP TABLE item");

    const restored = await good("restore", "--yes", "hets");
    const count = await dormouse.sql("SELECT count(*) FROM item");
    await good("undo", "--yes", "hets");

    assert.match(status.stdout, /hets: all is well/);
    assert.match(restored.stdout, /ready +deployment\/server, 2 replicas/);
    assert.equal(count, "1000");
    assert.equal(await dormouse.sql("SELECT count(*) FROM pg_class WHERE relname = 'item'"), "0");
    assert.equal(await relays(), 0);
  });

  it("removes its relay at the end of a signal as well", async () => {
    const running = ask("person", "doctor");
    const kill = async () => {
      while ((await relays()) === 0) await new Promise((resolve) => setTimeout(resolve, 200));
      running.kill("SIGINT");
    };
    await Promise.all([kill(), running]);

    assert.equal(await relays(), 0);
  });

  it("shows the console from zero pods, by a relay that ends with it", async () => {
    await asleep(dormouse, "dormouse-restore");
    const options = ["-n", dormouse.namespace, "--kubeconfig", join(folder, "person")];
    const running = execa("dist/kubectl-dormouse", ["console", "--no-browser", ...options], {
      reject: false,
    });
    const [address = ""] = await firstMatch(running.stdout, /http:\/\/127\.0\.0\.1:\d+\/#\S+/);
    const { origin, hash } = new URL(address);
    const post = (path: string, body: unknown) =>
      fetch(`${origin}${path}`, { method: "POST", headers: { origin }, body: JSON.stringify(body) });

    const { session } = (await (await post("/session", { key: hash.slice(1) })).json()) as {
      session: string;
    };
    const headers = { "x-dormouse-session": session };
    const overview = await (await fetch(`${origin}/overview`, { headers })).text();

    assert.match(overview, /"database":"hets"/);
    assert.match(overview, /"nextPing":"\d{4}-/);
    assert.equal(await relays(), 1);
    running.kill("SIGINT");
    assert.equal((await running).exitCode, 0);
    assert.equal(await relays(), 0);
  });

  it("leaves a relay that ends by itself when the program is killed", async () => {
    const running = ask("person", "doctor");
    while ((await relays()) === 0) await new Promise((resolve) => setTimeout(resolve, 200));
    running.kill("SIGKILL");
    await running;

    const [relay] = await dormouse.pods(RELAYS);
    assert.ok(relay !== undefined);
    const left = JSON.parse(await dormouse.kubectl(`get pods -l ${RELAYS} -o json`)) as {
      readonly items: readonly { readonly spec: { readonly activeDeadlineSeconds?: number } }[];
    };
    assert.ok(left.items.every(({ spec }) => (spec.activeDeadlineSeconds ?? Infinity) <= 3_600));
    await dormouse.kubectl(`delete pods -l ${RELAYS} --wait=true --grace-period=1`);
  });

  it("names the right that is missing, and the Role that has it", async () => {
    const { exitCode, stderr } = await ask("stranger", "list");

    assert.equal(exitCode, 1);
    assert.match(stderr, /right_missing: .*cannot list resource "services"/);
    assert.match(stderr, /resources: \[services\], verbs: \[list\].* --role=dormouse-cli/);
  });

  it("says where there is no Dormouse", async () => {
    const { exitCode, stderr } = await execa("dist/kubectl-dormouse", ["list", "-n", "default"], {
      reject: false,
    });

    assert.equal(exitCode, 1);
    assert.match(stderr, /there is no Dormouse in the namespace default/);
  });
});
