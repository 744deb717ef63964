// Who reads while something is being changed may read what was before: such an answer is not used, it is asked for again.
let made = 0;
const open = new Set();

// The answer of a call that changes something.
export async function changing(answer) {
  open.add(answer);
  try {
    return await answer;
  } finally {
    open.delete(answer);
    made += 1;
  }
}

// What `read` reads of the state after every change that was begun before its answer came.
export async function current(read) {
  for (;;) {
    const before = made;
    const answer = await read();
    while (open.size) await Promise.allSettled(open);
    if (made === before) return answer;
  }
}
