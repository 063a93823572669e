import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { kubectl, kubectlJson } from "./support/kubectl.ts";
import { clusterRoleBinding, writeKustomization } from "./support/kustomization.ts";
import { applied, install, type Installation } from "./support/namespace.ts";

const SUFFIX = "-reports";

type Source = { readonly metadata: { readonly name: string }; readonly status: { readonly sinkUri: string } };

describe("two installations in one namespace", () => {
  let first: Installation;
  let [folder, firstFolder] = ["", ""];
  before(async () => {
    first = await install("two");
    const { namespace } = first;
    for (const [name, role] of [
      ["backup", "dormouse_backup"],
      ["restore", "dormouse_restore"],
    ])
      await first.kubectl(
        `create secret generic dormouse-${name}-database${SUFFIX} --from-literal=database-user=${role} --from-literal=database-password=example`,
      );
    const [claim] = (await kubectlJson<{ items: readonly Claim[] }>(`-n ${namespace} get pvc`)).items.filter(
      ({ metadata }) => metadata.name === "dormouse-backups",
    );
    const { accessModes, resources } = claim?.spec ?? {};
    const second = { name: `dormouse-backups${SUFFIX}`, namespace };
    await kubectl(
      "create -f -",
      [],
      JSON.stringify({ ...claim, metadata: second, spec: { accessModes, resources }, status: undefined }),
    );
    firstFolder = await writeKustomization(namespace, {});
    folder = await writeKustomization(namespace, { nameSuffix: SUFFIX });
    await applied(first.kubectl, folder);
    await first.kubectl(
      `create rolebinding operator${SUFFIX} --role=dormouse-operator${SUFFIX} --serviceaccount=${namespace}:dormouse-operator`,
    );
    await first.kubectl("wait --for=condition=Ready ksvc,pingsource,sinkbinding --all --timeout=240s");
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
    await kubectl(
      `delete clusterrolebinding ${clusterRoleBinding(first.namespace)}${SUFFIX} --ignore-not-found`,
    );
    await first?.[Symbol.asyncDispose]();
  });

  const catalogOf = async (name: string) => {
    const { status, body } = await first.call(name);
    assert.equal(status, 200, body);
    return (JSON.parse(body) as { readonly backups: readonly unknown[] }).backups;
  };

  it("wake their own functions, and send events to their own cull", async () => {
    const kinds = "pingsources,sinkbindings";
    const { items } = await kubectlJson<{ items: readonly Source[] }>(`-n ${first.namespace} get ${kinds}`);

    const crossed = items.filter(
      ({ metadata, status }) => status.sinkUri.includes(SUFFIX) !== metadata.name.endsWith(SUFFIX),
    );
    assert.equal(items.length, 10);
    assert.deepEqual(crossed, []);
  });

  it("take a backup each onto their own volume", async () => {
    const { status, body } = await first.call(`dormouse-backup${SUFFIX}`, { method: "POST" });

    assert.equal(status, 200, body);
    assert.equal((await catalogOf(`dormouse-backup${SUFFIX}`)).length, 1);
    assert.deepEqual(await catalogOf("dormouse-backup"), []);
  });

  it("may each delete the source of their own restore, and no schedule", async () => {
    const may = (source: string) =>
      first
        .kubectl(
          `auth can-i delete pingsources/${source} --as=system:serviceaccount:${first.namespace}:dormouse-restore`,
        )
        .then(
          () => true,
          () => false,
        );

    const sources = ["dormouse-restore", `dormouse-restore${SUFFIX}`, "dormouse-daily"];
    assert.deepEqual(await Promise.all(sources.map(may)), [true, false, false]);
  });

  it("are removed one by one, and leave the claims with the backups", async () => {
    await first.kubectl(`delete -k ${folder}`);
    const services = await first.kubectl("get ksvc -o name");
    await first.kubectl(`delete -k ${firstFolder}`);

    const { items } = await kubectlJson<{ items: readonly Claim[] }>(`-n ${first.namespace} get pvc`);
    const claims = items.filter(({ metadata }) => metadata.name.startsWith("dormouse-"));
    assert.doesNotMatch(services, new RegExp(SUFFIX));
    assert.match(services, /dormouse-backup$/m);
    assert.equal(await first.kubectl("get ksvc -o name"), "");
    assert.deepEqual(
      claims.map(({ metadata, status }) => [metadata.name, status.phase]),
      [
        ["dormouse-backups", "Bound"],
        [`dormouse-backups${SUFFIX}`, "Bound"],
      ],
    );
  });
});

type Claim = {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly accessModes: readonly string[]; readonly resources: object };
  readonly status: { readonly phase: string };
};
