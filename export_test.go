// SPDX-License-Identifier: MIT

package troupe

// Cells returns how many cells of a kind a node has, of actors here and
// elsewhere.
func Cells(n *Node, kindName string) int { return int(n.kindOf(kindName).registry.count.Load()) }
