import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

/** RFC 6455, 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const PROTOCOL = "v4.channel.k8s.io";
const [BINARY, CLOSE] = [2, 8];

/** The server's end of a port-forward: one connection to a port of this machine, in the messages of the API's WebSocket. */
export function forwardTo(port: number, { headers }: IncomingMessage, socket: Duplex): void {
  const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${GUID}`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${PROTOCOL}\r\n\r\n`,
  );
  const target = connect(port, "127.0.0.1");
  const end = () => void (socket.destroy(), target.destroy());
  for (const each of [socket, target]) each.on("error", end);
  // A server's socket stays open for writing when its client has ended.
  socket.on("end", end);
  target.on("end", () => socket.end());
  // Each channel, data and error, begins with the port.
  for (const channel of [0, 1]) socket.write(framed(Buffer.from([channel, port & 0xff, port >> 8])));
  target.on("data", (data: Buffer) => socket.write(framed(Buffer.concat([Buffer.of(0), data]))));
  let held = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => {
    held = Buffer.concat([held, data]);
    for (let frame = frameIn(held); frame !== undefined; frame = frameIn(held)) {
      held = held.subarray(frame.size);
      if (frame.opcode === CLOSE) end();
      else target.write(frame.payload.subarray(1));
    }
  });
}

function framed(payload: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head[0] = 0x80 | BINARY;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

/** The first frame, where it is there as a whole: one message of a client, which masks it. */
function frameIn(bytes: Buffer) {
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < at + 4) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const size = at + 4 + length;
  if (bytes.length < size) return undefined;
  const mask = bytes.subarray(at, at + 4);
  const payload = bytes.subarray(at + 4, size).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return { opcode: first & 0x0f, payload, size };
}
