"use strict";

// Events in (a sender's transfer, with whatever fault is armed for it) and events out (a receiver's reading).

const { MalformedMessage, annotated, readTransfer } = require("./message-bytes.js");
const { accept, reject } = require("./rhea-for-azure.js");

/** Takes one transfer on a link to `hub`; `pinned` is the partition that the link names, if it names one. */
function takeTransfer({ hub, pinned, faults, maxMessageBytes }, { receiver, delivery, message: payload }) {
  hub.counters.transfers++;
  const refuse = (condition, description) => {
    hub.counters.rejected++;
    reject(delivery, condition, description);
  };
  if (payload.length > maxMessageBytes) {
    const description = `the message has ${payload.length} bytes, and ${maxMessageBytes} are allowed`;
    return refuse("amqp:link:message-size-exceeded", description);
  }
  let transfer;
  try {
    transfer = readTransfer(payload, delivery.format);
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    return refuse("amqp:decode-error", error.message);
  }
  const partition = pinned ?? hub.choosePartition(transfer.partitionKey);
  const plan = faults.onTransfer(hub.name, partition.id);
  if (plan.stores) {
    hub.counters.events += transfer.messages.length;
    hub.counters.bytes += payload.length;
    partition.append(transfer.messages, transfer.partitionKey);
  }
  const answers = {
    accept: () => accept(delivery),
    reject: () => refuse(plan.condition, "refused by a fault that was asked for"),
    detach: () => {
      delivery.settled = true;
      hub.forget(receiver);
      receiver.close({ condition: plan.condition, description: "detached by a fault that was asked for" });
    },
    drop: () => receiver.connection.socket.destroy(new Error("dropped by a fault that was asked for")),
    nothing: () => {
      // Settled on this side alone: the sender hears nothing, and no slot of the session's window is lost.
      delivery.settled = true;
    },
  };
  if (plan.delayMs > 0) setTimeout(answers[plan.answer], plan.delayMs);
  else answers[plan.answer]();
}

/**
 * Sends the partition's events from `start` on, as credit allows; returns the function that ends it. With `tracks`, each
 * tells of the partition's last event, too.
 */
function readInto(sender, partition, { start, tracks }) {
  let next = start;
  let handedOver = 0;
  let drained = 0;
  // rhea lowers the credit only when a delivery is written, so those still queued are counted here.
  const room = () => sender.credit - (handedOver - (sender.delivery_count - drained));
  const pump = () => {
    next = Math.max(next, partition.firstSequenceNumber);
    let count = Math.min(room(), sender.session.outgoing.available());
    for (; count > 0 && next < partition.nextSequenceNumber; count--) {
      const event = partition.get(next++);
      const message = annotated(event, partition.offsetOf(event), tracks ? partition.lastEnqueued() : undefined);
      sender.send(message, undefined, 0).settled = true;
      handedOver++;
    }
  };
  sender.on("sendable", pump);
  sender.on("sender_draining", () => {
    pump();
    drained += room(); // rhea counts credit that it gives back as delivered
    sender.set_drained(true);
  });
  return partition.follow(pump);
}

module.exports = { readInto, takeTransfer };
