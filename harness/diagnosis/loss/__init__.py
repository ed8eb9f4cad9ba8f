"""How much accuracy is lost, and of what the loss consists.

loss         the accuracy of both models, and the interval of the difference
attribution  parts that add up to the loss
candidates   candidates of both models before suppression
mixing       detections mixed from parts of both models
shapley      a fair share for each of several causes
"""
