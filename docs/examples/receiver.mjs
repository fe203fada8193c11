// Receives fraud alerts and verifies their signature: WEBHOOK_SECRET=whsec_… node receiver.mjs [port]
// Node's own modules only. Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, base64, one or more signatures.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const toleranceS = 300;
const mostBytes = 64 * 1024;
const seen = new Set(); // keep this in your database: it tells repetitions

function isGenuine(headers, body) {
  const id = headers["webhook-id"] ?? "";
  const sentAt = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(sentAt) || Math.abs(Date.now() / 1000 - Number(sentAt)) > toleranceS) return false;
  const mac = createHmac("sha256", key).update(`${id}.${sentAt}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return one.startsWith("v1,") && given.length === mac.length && timingSafeEqual(given, mac);
  });
}

const server = createServer(async (request, response) => {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > mostBytes) return response.writeHead(413).end();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks); // the bytes as they came: parse them only afterwards
  const genuine = isGenuine(request.headers, body);
  response.writeHead(genuine ? 204 : 401).end();
  if (genuine && !seen.has(request.headers["webhook-id"])) {
    seen.add(request.headers["webhook-id"]);
    const alert = JSON.parse(body).data;
    console.log(alert.state, alert.rule, alert.subject);
  }
});

server.listen(Number(process.argv[2] ?? 8090), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
