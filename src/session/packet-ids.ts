// Packet identifiers of one direction of one session: 1..65535, none given out twice while in use [MQTT-2.2.1-4].

export const MAX_PACKET_ID = 65_535

export class PacketIds {
  private last = 0

  /** The next free identifier after the last one given out, or 0 when all are in use. `isUsed` tells which are. */
  next(isUsed: (packetId: number) => boolean): number {
    for (let tries = 0; tries < MAX_PACKET_ID; tries++) {
      this.last = this.last === MAX_PACKET_ID ? 1 : this.last + 1
      if (!isUsed(this.last)) return this.last
    }
    return 0
  }
}
