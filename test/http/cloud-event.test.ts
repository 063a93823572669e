import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isEventRequest, readEvent } from "../../shared/http/cloud-event.ts";
import { decodeHeaderValue, encodeHeaderValue } from "../../shared/events/header-value.ts";
import { ODD_NAMES } from "../support/odd-names.ts";

const ATTRIBUTES = { specversion: "1.0", id: "1", source: "/s", type: "dev.knative.sources.ping" };
const BINARY = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": ATTRIBUTES.type };
const DATA = { ifOlderThan: "23h" };
const STRUCTURED = "application/cloudevents+json";

const base64 = (data: unknown) => Buffer.from(JSON.stringify(data)).toString("base64");

describe("an event of another sender", () => {
  for (const type of [
    STRUCTURED,
    "application/cloudevents+json; charset=UTF-8",
    "application/cloudevents+json;charset=utf-8",
    "Application/CloudEvents+JSON ; Charset=utf-8",
    " application/cloudevents+json",
  ]) {
    it(`is read in structured mode as ${JSON.stringify(type)}`, () => {
      const headers = { "content-type": type };

      assert.equal(isEventRequest(headers), true);
      assert.deepEqual(readEvent(headers, ` ${JSON.stringify({ ...ATTRIBUTES, data: DATA })}\n`).data, DATA);
    });
  }

  for (const type of [
    "application/json",
    "application/json; charset=UTF-8",
    "Application/JSON",
    "application/vnd.hets+json",
    "text/plain",
    undefined,
  ]) {
    it(`is read in binary mode with data of type ${type}`, () => {
      const headers = { ...BINARY, "content-type": type };

      assert.deepEqual(readEvent(headers, JSON.stringify(DATA)).data, DATA);
    });
  }

  for (const datacontenttype of ["application/json", "application/json; charset=utf-8", undefined]) {
    it(`may have its data in base64, with data of type ${datacontenttype}`, () => {
      const event = { ...ATTRIBUTES, datacontenttype, data_base64: base64(DATA) };

      assert.deepEqual(readEvent({ "content-type": STRUCTURED }, JSON.stringify(event)).data, DATA);
    });
  }

  it("may have extensions, with names and values of any kind", () => {
    const extensions = { traceparent: "00-1-1-01", number: 5, Flag: true, "my-ext": "x", my_ext: null };

    const structured = readEvent(
      { "content-type": STRUCTURED },
      JSON.stringify({ ...ATTRIBUTES, ...extensions }),
    );
    const binary = readEvent({ ...BINARY, "ce-my_ext": "x", "ce-number": "5" }, "");

    assert.deepEqual([structured.id, binary.id], ["1", "1"]);
  });

  for (const [what, given, attribute] of [
    ["percent-encoded", "/hets/%E6%97%A5%E6%9C%AC", "/hets/日本"],
    ["percent-encoded without need", "/%68ets", "/hets"],
    ["in lower case", "/gr%c3%b6%c3%9fe", "/größe"],
    ["encoded twice, of which one is taken", "/a%2541", "/a%41"],
    ["with a percent sign alone", "/100%/x", "/100%/x"],
    ["quoted", String.raw`"/a \"b\" c"`, `/a "b" c`],
  ] as const) {
    it(`may have an attribute ${what}`, () => {
      assert.equal(readEvent({ ...BINARY, "ce-source": given }, "").source, attribute);
    });
  }

  for (const [what, headers, body] of [
    ["whose attribute is not UTF-8", { ...BINARY, "ce-source": "%C0%A0" }, ""],
    ["whose base64 holds no JSON", { "content-type": STRUCTURED }, { ...ATTRIBUTES, data_base64: "AAAA" }],
    ["whose base64 is a number", { "content-type": STRUCTURED }, { ...ATTRIBUTES, data_base64: 5 }],
    ["of a batch", { "content-type": "Application/CloudEvents-Batch+JSON; charset=utf-8" }, [ATTRIBUTES]],
    ["in another format", { ...BINARY, "content-type": "application/cloudevents+avro" }, ""],
    ["that is null", { "content-type": STRUCTURED }, null],
    ["that is a list", { "content-type": STRUCTURED }, [ATTRIBUTES]],
    ["of another version", { ...BINARY, "ce-specversion": "0.3" }, ""],
  ] as const) {
    it(`is refused ${what}`, () => {
      const read = () => readEvent(headers, body === "" ? "" : JSON.stringify(body));

      assert.throws(read, { code: "event_invalid" });
    });
  }
});

describe("a header of an event", () => {
  it("holds any name of a database in printable ASCII, and gives it back", () => {
    for (const name of [...ODD_NAMES, "日本", "größe", "😀", `"quoted"`, "100%"]) {
      const encoded = encodeHeaderValue(name);

      assert.match(encoded, /^[\x21\x23-\x7e]+$/);
      assert.equal(decodeHeaderValue(encoded), name);
    }
  });

  it("leaves what needs no encoding as it is", () => {
    assert.equal(
      encodeHeaderValue("2026-11-22/hets2026-11-22-01-00.bak"),
      "2026-11-22/hets2026-11-22-01-00.bak",
    );
    assert.equal(encodeHeaderValue('a "b" 100% €'), "a%20%22b%22%20100%25%20%E2%82%AC");
  });
});
