import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { AuthSettings } from "../../shared/config/auth-config.ts";
import { setAuthorizingStage, type AuthorizingStage } from "../support/authorizing.ts";

const TOKEN = "0123456789abcdef-of-jo";

describe("a function that has a file of its callers", () => {
  let stage: AuthorizingStage;
  let tokenFile: string;

  before(async () => {
    stage = await setAuthorizingStage();
    tokenFile = stage.fileNamed("tokens");
    await writeFile(tokenFile, `# who may restore\njo:${TOKEN}\n\nabcdefghijklmnop-bare\n`);
  });
  after(() => stage[Symbol.asyncDispose]());

  for (const [what, token] of [
    ["without a token", undefined],
    ["with a wrong token", "0123456789abcdef-of-jx"],
    ["with the beginning of a token", "0123456789abcdef"],
    ["with a name and a token", `jo:${TOKEN}`],
  ] as const)
    it(`answers 401 to a POST ${what}, and reads nothing`, async () => {
      await using service = await stage.serve({ AUTH: "token", AUTH_TOKEN_FILE: tokenFile });

      await service.assertRefused(token, 401);
    });

  it("knows the callers of its file, each by name, and a bare token", async () => {
    await using service = await stage.serve({ AUTH: "token", AUTH_TOKEN_FILE: tokenFile });

    const runs = await Promise.all(
      [TOKEN, "abcdefghijklmnop-bare"].map(async (token) => service.runOf(service.post(token))),
    );

    assert.deepEqual(
      runs.map(({ caller }) => caller),
      ["jo", "token"],
    );
  });

  for (const [line, caller] of [
    ["system:admin", "system:admin"],
    ["kube:admin", "kube:admin"],
    ["", "token"],
  ] as const) {
    it(`takes the last colon for the end of a name, as in "${line}:token"`, async () => {
      const path = stage.fileNamed("colons");
      await writeFile(path, `${line}:${TOKEN}\n`);
      await using service = await stage.serve({ AUTH: "token", AUTH_TOKEN_FILE: path });

      const run = await service.runOf(service.post(TOKEN));

      assert.equal(run.caller, caller);
    });
  }

  it("reads its file again when it changes", async () => {
    const changing = stage.fileNamed("changing");
    await writeFile(changing, TOKEN);
    await using service = await stage.serve({ AUTH: "token", AUTH_TOKEN_FILE: changing });
    const before = await service.get(TOKEN);

    await writeFile(changing, "fedcba9876543210-new");

    assert.equal(before.status, 200);
    assert.equal((await service.get(TOKEN)).status, 401);
    assert.equal((await service.get("fedcba9876543210-new")).status, 200);
  });

  it("gives all callers one name where none is authenticated", async () => {
    await using service = await stage.serve({ AUTH: "none" });

    const run = await service.runOf(service.post(undefined));

    assert.equal(run.caller, "anyone");
  });

  const mistakes: readonly (readonly [string, Partial<AuthSettings>, string | undefined])[] = [
    ["no token file", { AUTH: "token" }, undefined],
    ["a token file that is not there", { AUTH: "token", AUTH_TOKEN_FILE: "/nowhere" }, undefined],
    ["an empty token file", { AUTH: "token" }, "# nobody\n"],
    ["a token that is too short", { AUTH: "token" }, "jo:secret\n"],
    ["a token with a space", { AUTH: "token" }, "jo:0123456789 abcdef-secret\n"],
  ];
  for (const [what, changes, content] of mistakes) {
    it(`does not start with ${what}`, async () => {
      const path = stage.fileNamed("bad");
      if (content !== undefined) await writeFile(path, content);

      const call = stage.serve(content === undefined ? changes : { ...changes, AUTH_TOKEN_FILE: path });

      await assert.rejects(call, { code: "configuration_invalid", message: /^(?!.*secret)/ });
    });
  }
});
