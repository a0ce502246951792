// How log lines describe packets: the shapes that users of Mosquitto search for.

/** `(d0, q1, r0, m5, 'topic', ... (12 bytes))` */
export function describePublish(
  message: { readonly topic: string; readonly size: number },
  qos: number,
  retain: boolean,
  dup: boolean,
  packetId: number,
): string {
  return `(d${Number(dup)}, q${qos}, r${Number(retain)}, m${packetId}, '${message.topic}', ... (${message.size} bytes))`
}
