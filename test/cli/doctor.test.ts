import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { Examined } from "../../cli/doctor/examine.ts";
import { serviceOf, startFakeNamespace, type FakeNamespace } from "../support/fake-namespace.ts";
import { dormouse } from "../support/program.ts";
import { json, standIn, type StandIn } from "../support/stand-in.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";

const CLAIM = {
  metadata: { name: "dormouse-backups" },
  spec: { accessModes: ["ReadWriteMany"] },
  status: { phase: "Bound" },
};
const SECRET = { metadata: { name: "dormouse-backup-database" }, data: { user: "", password: "" } };

/** Of the real one, what it says of a folder: its own tests of admission are on a cluster. */
const KUBECTL = `#!/bin/sh
case "$*" in
  "kustomize deploy") cat <<YAML
${JSON.stringify(mounting("backup"))}
---
{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "b"}}
YAML
  ;;
  kustomize*) echo "error: no such folder" >&2; exit 1 ;;
  *) cat >/dev/null; echo "Warning: of something else" >&2
    echo "Error from server: admission webhook denied the request: $* must not set the field" >&2; exit 1 ;;
esac
`;

/** What the cluster has, from outside; the functions themselves find nothing. */
describe("dormouse doctor, in a namespace", () => {
  let functions: StandIn;
  let given: FakeNamespace;
  before(async () => {
    functions = await standIn(json({ healthy: true, findings: [] }));
  });
  after(() => functions[Symbol.asyncDispose]());
  beforeEach(async () => {
    const { url } = functions;
    given = await startFakeNamespace({ backup: url, cull: url, restore: url });
    given.objects
      .set("persistentvolumeclaims", [CLAIM])
      .set("secrets", [SECRET])
      .set("services", [mounting("backup"), serviceOf("cull"), serviceOf("restore")])
      .set("sinkbindings", [{ metadata: { name: "dormouse-backup" }, status: ready("True") }]);
  });
  afterEach(() => given[Symbol.asyncDispose]());

  const doctor = (...args: string[]) => dormouse(["doctor", ...args], given.env);

  it("finds nothing at fault, and says the same as JSON", async () => {
    const { code, stdout, stderr } = await doctor();
    const asJson = await doctor("--json");

    assert.equal(code, 0, `${stdout}${stderr}`);
    for (const check of ["knative", "services", "volume", "secret", "readiness"])
      assert.match(stdout, new RegExp(`^ok +cluster ${check}: `, "m"));
    const { healthy, cluster, functions: examined } = JSON.parse(asJson.stdout) as Examined;
    assert.deepEqual([asJson.code, healthy, cluster?.healthy], [0, true, true]);
    assert.deepEqual(Object.keys(examined).toSorted(), ["backup", "cull", "restore"]);
  });

  for (const [what, break_, ...faults] of [
    [
      "no Knative",
      () => void (given.served.clear(), given.objects.delete("services")),
      /^FAULT +cluster knative: there is no services\.serving\.knative\.dev\n +install Knative Serving$/m,
    ],
    [
      "no Dormouse",
      () => void given.objects.set("services", []),
      /^FAULT +cluster services: there is no Knative Service of Dormouse$/m,
    ],
    [
      "what is not there, and which service is not ready",
      () => {
        given.objects.delete("persistentvolumeclaims");
        given.objects.delete("secrets");
        given.objects.set("services", [mounting("backup"), waiting("cull")]);
      },
      /^FAULT +cluster volume: there is no claim dormouse-backups\n +kubectl apply -n hets -k manifests\/volume/m,
      /^FAULT +cluster secret: there is no Secret dormouse-backup-database$/m,
      /^FAULT +cluster readiness: services\.serving\.knative\.dev dormouse-cull is not ready: no image$/m,
    ],
    [
      "what is not as it should be",
      () => {
        given.objects.set("persistentvolumeclaims", [{ ...CLAIM, status: { phase: "Pending" } }]);
        given.objects.set("secrets", [{ ...SECRET, data: { user: "" } }]);
        given.objects.set("sinkbindings", [{ metadata: { name: "b" }, status: ready("False") }]);
      },
      /^FAULT +cluster volume: claim dormouse-backups is Pending$/m,
      /^FAULT +cluster secret: the Secret dormouse-backup-database lacks password$/m,
      /^FAULT +cluster readiness: sinkbindings\.sources\.knative\.dev b is not ready: no image$/m,
    ],
  ] as const)
    it(`names ${what}, and exits with 3`, async () => {
      break_();

      const { code, stdout, stderr } = await doctor();

      assert.equal(code, 3, `${stdout}${stderr}`);
      for (const fault of faults) assert.match(stdout, fault);
    });

  it("says in one sentence what the account may not look at, and calls nothing of it a fault", async () => {
    for (const each of ["get persistentvolumeclaims", "get secrets", "list sinkbindings"])
      given.denied.add(each);

    const { code, stdout, stderr } = await doctor();

    assert.equal(code, 0, `${stdout}${stderr}`);
    for (const [check, right] of [
      ["volume", 'get resource "persistentvolumeclaims"'],
      ["secret", 'get resource "secrets"'],
      ["readiness", 'list resource "sinkbindings"'],
    ])
      assert.match(
        stdout,
        new RegExp(`^unseen +cluster ${check}: your account may not look: .*cannot ${right}`, "m"),
      );
  });

  describe("before a folder is applied", () => {
    let programs: Removed;
    before(async () => {
      programs = await temporaryFolder();
      await writeFile(join(programs.path, "kubectl"), KUBECTL, { mode: 0o755 });
    });
    after(() => programs[Symbol.asyncDispose]());

    it("says what Knative would refuse, and what is missing, and asks no function", async () => {
      given.objects.delete("secrets");

      const env = { ...given.env, PATH: `${programs.path}:${process.env["PATH"]}` };
      const { code, stdout, stderr } = await dormouse(["doctor", "-k", "deploy"], env);

      assert.equal(code, 3, `${stdout}${stderr}`);
      assert.match(stdout, /^FAULT +cluster secret: there is no Secret dormouse-backup-database$/m);
      assert.match(
        stdout,
        /^FAULT +cluster admission: Service dormouse-backup: apply --dry-run=server -f - -n hets must not set the field\n.*config-features/m,
      );
      assert.match(stdout, /^ok +cluster rights: you may create a ClusterRoleBinding$/m);
      assert.doesNotMatch(stdout, / (backup|restore) /);
      assert.equal(given.pods.size, 0);
    });

    for (const [what, folder, path, says] of [
      ["kubectl is missing", "deploy", "/nonexistent", /kubectl cannot be started: .*ENOENT\ninstall it/],
      ["the folder is", "nowhere", undefined, /^error: no such folder/],
    ] as const)
      it(`says in one sentence that ${what}`, async () => {
        const PATH = path ?? `${programs.path}:${process.env["PATH"]}`;

        const { code, stdout, stderr } = await dormouse(["doctor", "-k", folder], { ...given.env, PATH });

        assert.equal(code, 1);
        assert.equal(stdout, "");
        assert.match(stderr, says);
      });
  });

  it("looks at no cluster with --url, and at a folder only in one", async () => {
    const url = `backup=${functions.url}`;

    const direct = await dormouse(["doctor", "--url", url], given.env);
    const folder = await dormouse(["doctor", "-k", "manifests/base", "--url", url], given.env);

    assert.deepEqual([direct.code, direct.stdout], [0, ""]);
    assert.equal(folder.code, 2);
    assert.deepEqual(given.asked, []);
  });
});

function ready(status: string) {
  return { conditions: [{ type: "Ready", status, message: "no image" }] };
}

/** Not so far that it has an address. */
function waiting(name: string) {
  return { ...serviceOf(name), status: ready("False") };
}

function mounting(name: string) {
  const service = serviceOf(name);
  const keys = ["user", "password"].map((key) => ({
    name: key,
    valueFrom: { secretKeyRef: { name: "dormouse-backup-database", key } },
  }));
  const containers = [{ image: "dev.local/dormouse:1", args: [`${name}/index.mjs`], env: keys }];
  const volumes = [{ name: "backups", persistentVolumeClaim: { claimName: "dormouse-backups" } }];
  return { ...service, spec: { template: { spec: { containers, volumes } } } };
}
