# Behind width.awk: the width of each line.

{ print width_of($0) }
