# cut.awk - lines cut to `width` columns. Behind width.awk.

{ print cut_to($0, width) }
