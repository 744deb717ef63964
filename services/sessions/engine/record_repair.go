// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// repaired undoes what a decryption did to states that it tried in vain.
//
// Two people who write to each other for the first time at the same moment have two sessions. libsignal tries a message
// on each state of a record and, unlike the original, on the state itself: a failed try leaves a wrong root key and a
// wrong chain in it (SessionCipher.DecryptWithState), which are stored when another state opens the message. From then on
// that session cannot be read or written. It also leaves the promoted state in the list of previous ones. So every state
// but the one that opened the message is put back as it was.
func repaired(before, after []byte) []byte {
	serializer := store.SignalProtobufSerializer.Session
	old, errBefore := serializer.Deserialize(before)
	changed, errAfter := serializer.Deserialize(after)
	if len(before) == 0 || errBefore != nil || errAfter != nil {
		return after // there was no other state
	}
	intact := statesByBaseKey(old)
	kept := make([]*record.StateStructure, 0, len(changed.PreviousStates))
	seen := map[string]bool{string(changed.SessionState.SenderBaseKey): true}
	for _, state := range changed.PreviousStates {
		key := string(state.SenderBaseKey)
		if seen[key] {
			continue
		}
		seen[key] = true
		if was, known := intact[key]; known {
			state = was
		}
		kept = append(kept, state)
	}
	changed.PreviousStates = kept
	return serializer.Serialize(changed)
}

// statesByBaseKey finds each session of a record by the key that began it; the first one of twins is the newest.
func statesByBaseKey(r *record.SessionStructure) map[string]*record.StateStructure {
	states := map[string]*record.StateStructure{}
	for _, state := range append([]*record.StateStructure{r.SessionState}, r.PreviousStates...) {
		if _, twin := states[string(state.SenderBaseKey)]; !twin {
			states[string(state.SenderBaseKey)] = state
		}
	}
	return states
}
