import { after, before, describe, it } from "node:test";
import { usesWhatTheStoreCan } from "../../contracts/able-store.ts";
import { behavesAsMirror } from "../../contracts/mirror.ts";
import { ableStore } from "../../support/able-store.ts";
import { embeddedStore, givenStore, type OwnStore, type Store } from "../../support/s3.ts";

describe("a mirror in a store that can little", () => {
  let store: OwnStore;
  before(async () => void (store = await embeddedStore()));
  after(() => store[Symbol.asyncDispose]());
  behavesAsMirror(() => store);
});

describe("a mirror in a store that can all", () => {
  let store: OwnStore;
  before(async () => void (store = await ableStore()));
  after(() => store[Symbol.asyncDispose]());
  allOf(() => store);
});

describe("a mirror in the store of DORMOUSE_TEST_S3_ENDPOINT", () => {
  const store = givenStore();
  if (store === undefined)
    it("is not tested here", (test) => test.skip("DORMOUSE_TEST_S3_ENDPOINT is not set"));
  else allOf(() => store);
});

function allOf(describeStore: () => Store): void {
  behavesAsMirror(describeStore);
  describe("that is sent checksums", () => behavesAsMirror(describeStore, { checksums: "when-supported" }));
  describe("that lists uploads, keeps versions and holds locks", () => usesWhatTheStoreCan(describeStore));
}
