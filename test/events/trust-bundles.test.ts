import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { trustBundles } from "../../shared/events/trust-bundles.ts";
import { certified } from "../support/certificate.ts";
import { temporaryFolder } from "../support/volume.ts";

describe("trust bundles of Knative", () => {
  it("are read as a ConfigMap mounts them, once each, and what is no certificate is passed over", async () => {
    await using folder = await temporaryFolder();
    const [one, other] = [await certified(folder.path), await certified(folder.path)];
    const mount = join(folder.path, "mount");
    await mkdir(join(mount, "..data"), { recursive: true });
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const bundles = {
      "kn-combined-kne-bundle.pem": one.ca + other.ca,
      "ca.crt": `${one.ca}# ours\n${broken}`,
      note: "x",
    };
    for (const [name, text] of Object.entries(bundles)) {
      await writeFile(join(mount, "..data", name), text);
      await symlink(join("..data", name), join(mount, name));
    }

    const found = await trustBundles(mount);

    assert.deepEqual(new Set(found), new Set([one.ca.trim(), other.ca.trim()]));
    assert.equal(found.length, 2);
  });

  it("are none where nothing is mounted", async () => {
    assert.deepEqual(await trustBundles("/nowhere"), []);
  });
});
