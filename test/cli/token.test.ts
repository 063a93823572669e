import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { dormouse } from "../support/program.ts";
import { standIn, type StandIn } from "../support/stand-in.ts";
import { temporaryFolder, type Removed } from "../support/volume.ts";

const TOKEN = "a-token-that-nothing-shows";

describe("the file that DORMOUSE_TOKEN_FILE names", () => {
  let folder: Removed;
  let backup: StandIn;
  const received: (string | undefined)[] = [];
  before(async () => {
    folder = await temporaryFolder();
    await writeFile(join(folder.path, "token"), `${TOKEN}\n`);
    backup = await standIn(({ headers }, answer) => {
      received.push(headers.authorization);
      const problem = { code: "unauthenticated", detail: "the token is not known" };
      answer.writeHead(401, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
    });
  });
  after(async () => {
    await backup[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const list = (file: string) =>
    dormouse(["list", "--url", `backup=${backup.url}`], { DORMOUSE_TOKEN_FILE: join(folder.path, file) });

  it("has the token that a function gets, and that nothing shows, also where the function refuses it", async () => {
    const { code, stdout, stderr } = await list("token");

    assert.equal(code, 1);
    assert.deepEqual(received.splice(0), [`Bearer ${TOKEN}`]);
    assert.match(stderr, /unauthenticated: the token is not known/);
    assert.doesNotMatch(`${stdout}${stderr}`, new RegExp(TOKEN));
  });

  it("is there, or nothing is asked", async () => {
    const { code, stderr } = await list("none");

    assert.equal(code, 2);
    assert.match(stderr, /DORMOUSE_TOKEN_FILE names .*none, which cannot be read/);
    assert.deepEqual(received, []);
  });
});
