import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Report } from "../../shared/doctor/finding.ts";
import { countBackups } from "./support/events.ts";
import { eventually } from "./support/kubectl.ts";
import { install, type Installation } from "./support/namespace.ts";
import { s3Server } from "./support/s3-server.ts";

const FUNCTIONS = ["dormouse-backup", "dormouse-cull", "dormouse-restore"];

describe("the functions with a bucket", () => {
  let dormouse: Installation;
  before(async () => {
    dormouse = await install("s3", {
      overlay: "s3",
      settings: { "dormouse-s3-settings": ["S3_PREFIX=hets"] },
      beforehand: await s3Server(),
    });
    await dormouse.kubectl("wait --for=condition=Ready pod/s3 --timeout=180s");
    await dormouse.sql("CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 1000) g");
  });
  after(() => dormouse?.[Symbol.asyncDispose]());

  for (const name of FUNCTIONS) {
    it(`reach it from ${name}`, async () => {
      const { status, body } = await dormouse.call(name, { path: "/doctor" });

      assert.equal(status, 200, body);
      const { findings } = JSON.parse(body) as Report;
      const mirror = findings.filter(({ check }) => check === "mirror");
      assert.deepEqual(
        mirror.map(({ state }) => state),
        ["good"],
        body,
      );
    });
  }

  it("bring a backup back that only the bucket has", async () => {
    const backup = await dormouse.call("dormouse-backup", { method: "POST", body: {} });
    assert.equal(backup.status, 200, backup.body);
    await eventually("the copy", async () => (await mirrored(dormouse)).length === 2);
    await dormouse.onVolume("rm -r ./2*");
    assert.equal(await countBackups(dormouse), 0);
    await dormouse.sql("DROP TABLE item");

    const answer = await dormouse.call("dormouse-restore", {
      method: "POST",
      body: { filename: "latest" },
    });

    assert.equal(answer.status, 200, answer.body);
    assert.equal(await dormouse.sql("SELECT count(*) FROM item"), "1000");
  });
});

/** The files of the S3 server's bucket: an object, and beside it what else the server keeps. */
async function mirrored({ kubectl }: Installation): Promise<readonly string[]> {
  const files = await kubectl("exec s3 -- sh -c", "find /tmp/s3/dormouse/hets -name '*_object'");
  // What the doctor writes, and backup may not delete, lies beside the folders of days.
  return files.split("\n").filter((file) => /\/hets\/2.*\.bak/.test(file));
}
