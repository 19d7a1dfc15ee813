// says: Opens a connection in Node, which knows no proxy there.
// stopped by: network
// proof: arrived
// source: Node without its proxy agent
import net from "node:net";
const socket = net.connect({ host: process.env.LISTENER, port: Number(process.env.PORT), timeout: 3000 });
socket.on("connect", () => socket.write(`GET /${process.env.TOKEN} HTTP/1.0\r\n\r\n`));
socket.on("data", () => socket.end()).on("error", console.log).on("timeout", () => socket.destroy());
