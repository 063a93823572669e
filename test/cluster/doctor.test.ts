import assert from "node:assert/strict";
import { execa } from "execa";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { Finding, Report } from "../../shared/doctor/finding.ts";
import { eventually, kubectlJson } from "./support/kubectl.ts";
import { firstMatch } from "./support/first-match.ts";
import { writeKustomization } from "./support/kustomization.ts";
import { install, type Installation } from "./support/namespace.ts";

describe("an examination of an installation", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("doctor");
    await dormouse.kubectl("wait --for=condition=Ready sinkbinding --all --timeout=180s");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  const lookInside = async () => {
    const { status, body } = await dormouse.call("dormouse-restore", { path: "/doctor" });
    assert.equal(status, 200, body);
    return JSON.parse(body) as Report;
  };
  const lookFromOutside = () => doctor("-n", dormouse.namespace);

  it("finds nothing at fault from outside", async () => {
    // The binding makes a revision, which comes up after it.
    const text = await eventually("nothing at fault", async () => {
      const seen = await lookFromOutside();
      if (seen.exitCode !== 0) throw new Error(seen.text);
      return seen.text;
    });

    for (const check of ["knative", "services", "volume", "secret", "readiness"])
      assert.match(text, new RegExp(`^ok +cluster ${check}: `, "m"));
    for (const name of ["backup", "cull", "restore"])
      assert.match(text, new RegExp(`^ok +${name} volume: `, "m"));
  });

  it("finds the workloads and all rights from inside", async () => {
    const { healthy, findings } = await lookInside();

    assert.equal(healthy, true, JSON.stringify(findings));
    assert.deepEqual(detailsOf(findings, "workloads").toSorted(), [
      "deployment/frontend is there, with 1 replicas",
      "deployment/server is there, with 2 replicas",
    ]);
    assert.match(detailsOf(findings, "rights").join(), /^the account has all \d+ rights that it needs$/);
  });

  it("names what is missing, from both sides", async () => {
    await dormouse.kubectl("delete rolebinding dormouse-restore");
    const inside = await lookInside();
    // A pod that woke now would not come up.
    await dormouse.kubectl(
      "patch secret dormouse-backup-database --type=json --patch",
      dropKey("database-user"),
    );
    const outside = program("-n", dormouse.namespace);

    assert.equal(inside.healthy, false);
    assert.deepEqual(detailsOf(inside.findings, "rights").toSorted(), await everyRight(dormouse));
    // What the functions say comes later, or never.
    await firstMatch(
      outside.stdout,
      /^FAULT +cluster secret: the Secret dormouse-backup-database lacks database-user$/m,
    );
    outside.kill("SIGINT");
    assert.equal((await outside).exitCode, 130);
  });

  it("says before anything is applied what is missing, and nothing of what will come with it", async () => {
    const folder = await writeKustomization("nothing-yet", { components: ["jobsink"] });

    const { exitCode, text } = await doctor("-n", "default", "-k", folder);

    await rm(folder, { recursive: true });
    assert.equal(exitCode, 3);
    assert.match(text, /^ok +cluster rights: you may create a ClusterRoleBinding$/m);
    assert.match(text, /^ok +cluster admission: Service dormouse-backup is as Knative wants it$/m);
    const faults = [...text.matchAll(/^FAULT +cluster (.*)$/gm)].map(([, fault]) => fault);
    assert.deepEqual(faults, [
      "volume: there is no claim dormouse-backups",
      "volume: not all pods that use the volume have the same fsGroup",
      "secret: there is no Secret dormouse-backup-database",
      "secret: there is no Secret dormouse-restore-database",
    ]);
  });
});

/** What the Role of restore gives, each as the doctor would miss it: it gives nothing that is not needed. */
async function everyRight({ namespace }: Installation): Promise<readonly string[]> {
  const { rules } = await kubectlJson<{ rules: readonly Rule[] }>(
    `-n ${namespace} get role dormouse-restore`,
  );
  const rights = rules.flatMap(({ resources, resourceNames = [undefined], verbs }) =>
    resources.flatMap((resource) =>
      resourceNames.flatMap((name) =>
        verbs.map((verb) => `${verb} ${resource}${name === undefined ? "" : ` of ${name}`}`),
      ),
    ),
  );
  // Without this the source of a run goes with the run, and not with the service.
  const wanted = rights.filter((right) => right !== "get services of dormouse-restore");
  return wanted.map((right) => `the account may not ${right}`).toSorted();
}

type Rule = {
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
};

function program(...args: readonly string[]) {
  return execa("dist/kubectl-dormouse", ["doctor", ...args], { reject: false, stdin: "ignore" });
}

async function doctor(...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await program(...args);
  return { exitCode, text: `${stdout}\n${stderr}` };
}

function detailsOf(findings: readonly Finding[], name: string): readonly string[] {
  return findings.filter(({ check }) => check === name).map(({ detail }) => detail);
}

function dropKey(key: string): string {
  return JSON.stringify([{ op: "remove", path: `/data/${key}` }]);
}
