// What the broker counts while it works: plain numbers that the hot path increments and `$SYS` reads.

/** Counters since the start. Bytes are payload bytes for publishes, network bytes otherwise. */
export class Statistics {
  packetsReceived = 0
  packetsSent = 0
  bytesReceived = 0
  bytesSent = 0
  publishesReceived = 0
  publishesSent = 0
  publishesDropped = 0
  publishBytesReceived = 0
  publishBytesSent = 0
  socketsAccepted = 0
  connectionsReceived = 0
  clientsExpired = 0
  clientsMaximum = 0
}
